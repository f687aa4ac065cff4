"""Probes of the balancer: the bytes of the answers, and when they are which."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest
from observed import NOWHERE, check_of, plan_of, server_of, tcp, until
from test_health_monitor import Observed, Port, observe
from test_metrics_http import free_port

from fastlb.doors import CONNECTIONS
from fastlb.liveness import Liveness
from fastlb.metrics_http import MetricsServer
from fastlb.monitor_http import HEADER_BYTES, MonitorEndpoint
from fastlb.plan.model import MetricsBind, Monitor
from fastlb.plan.monitors import Failing, Question

# What HAProxy 2.6 sent.
_HEAD = b"cache-control: no-cache\r\ncontent-type: text/html\r\nconnection: close\r\n\r\n"
_UNAVAILABLE_TEXT = (
    b"<html><body><h1>503 Service Unavailable</h1>\nNo server is available to handle this request.\n</body></html>\n"
)
_OK_TEXT = b"<html><body><h1>200 OK</h1>\nService ready.\n</body></html>\n"
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 58\r\n" + _HEAD + _OK_TEXT
UNAVAILABLE = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 107\r\n" + _HEAD + _UNAVAILABLE_TEXT


@pytest.mark.parametrize(
    ("request_", "well", "answer"),
    [
        (b"GET /health HTTP/1.0\r\n\r\n", True, OK),
        (b"POST /health HTTP/1.1\r\nHost: x\r\n\r\n", True, OK),
        (b"GET /health HTTP/1.1\n\n", True, OK),
        (b"HEAD /health HTTP/1.1\r\nHost: x\r\n\r\n", True, OK.partition(b"<html>")[0]),
        (b"GET /health HTTP/1.0\r\n\r\n", False, UNAVAILABLE),
        (b"GET /health?x=1 HTTP/1.0\r\n\r\n", True, UNAVAILABLE),
        (b"GET /healthx HTTP/1.0\r\n\r\n", True, UNAVAILABLE),
    ],
)
def test_answers(request_: bytes, well: bool, answer: bytes) -> None:
    assert MonitorEndpoint(Monitor("/health"), lambda monitor: well).answer(request_) == answer


@pytest.mark.parametrize("junk", [b"\n\n", b"SSH-2.0\r\n\r\n", b"GET  /health HTTP/1.0\r\n\r\n", b"\x00" * 5000])
def test_junk_is_a_bad_request(junk: bytes) -> None:
    assert (
        MonitorEndpoint(Monitor("/health"), lambda monitor: True).answer(junk).startswith(b"HTTP/1.1 400 Bad request")
    )


def serve(scenario: Callable[[MetricsServer, int], Awaitable[None]]) -> None:
    async def run() -> None:
        server = MetricsServer(None, -1, lambda: (True, ""), lambda monitor: True)  # type: ignore[arg-type]
        port = free_port()
        try:
            await server.install([probed(port)])
            await scenario(server, port)
        finally:
            await server.close()

    asyncio.run(run())


def probed(port: int, path: str = "/health", metrics: str = "") -> MetricsBind:
    return MetricsBind(tcp(port), NOWHERE, metrics, Monitor(path))


async def ask(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    answer = await asyncio.wait_for(reader.read(-1), 10)
    writer.close()
    return answer


def test_a_listener_answers_and_a_reload_changes_its_path() -> None:
    async def scenario(server: MetricsServer, port: int) -> None:
        assert await ask(port, b"GET /health HTTP/1.0\r\n\r\n") == OK
        assert (await ask(port, b"x" * (HEADER_BYTES + 1))).startswith(b"HTTP/1.1 400 ")
        await server.install([probed(port, "/other")])
        assert await ask(port, b"GET /health HTTP/1.0\r\n\r\n") == UNAVAILABLE
        assert await ask(port, b"GET /other HTTP/1.0\r\n\r\n") == OK
        await server.install([probed(port, "/other", metrics="/metrics")])
        answer = await ask(port, b"GET /other HTTP/1.0\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert answer.endswith(OK.partition(b"\r\n\r\n")[2])
        assert b"/metrics" in await ask(port, b"GET /nothing HTTP/1.0\r\n\r\n")
        await server.install([probed(port)])
        assert await ask(port, b"GET /health HTTP/1.0\r\n\r\n") == OK

    serve(scenario)


def test_who_says_nothing_keeps_nobody_out_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fastlb.doors.HEADER_TIME_S", 0.6)

    async def scenario(server: MetricsServer, port: int) -> None:
        silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(CONNECTIONS)]
        await asyncio.sleep(0.05)
        with suppress(ConnectionError):
            assert await ask(port, b"GET /health HTTP/1.0\r\n\r\n") == b""
        monkeypatch.setattr("fastlb.doors.HEADER_TIME_S", 10)
        await asyncio.sleep(1)
        assert await ask(port, b"GET /health HTTP/1.0\r\n\r\n") == OK
        for one in silent:
            one.close()

    serve(scenario)


def failing(*terms: Question, unless: bool = False) -> Failing:
    return Failing(unless, (tuple((term,) for term in terms),))


LESS_THAN_ONE = ((-(1 << 63), 0),)


def test_what_monitor_fail_asks_for() -> None:
    async def scenario(observed: Observed) -> None:
        async with Port() as port:
            observed.install(plan_of([server_of("a", port.number, check_of(port.number))], [server_of("b", 1)]))
            alive = Liveness(observed.monitor, observed.shared.view, observed.numbering)
            none_left = Question("nbsrv", 0, LESS_THAN_ONE)
            a_is_up = Question("srv_is_up", 0, ((1, 1),))
            idle = Question("be_conn", 1, ((0, 0),))

            def well(*fails: Failing) -> bool:
                return alive.is_well(Monitor("/", fails))

            assert well()
            assert well(failing(none_left))
            assert well(failing(a_is_up, unless=True))
            assert well(failing(Question("srv_is_up", 0, ((1, 1),), negated=True)))
            assert not well(failing(idle))
            assert not well(failing(none_left), failing(a_is_up, idle))
            assert not well(failing(Question("srv_conn", 1, ((0, 5),)), Question("queue", 0, ((0, 0),))))
            await port.close()
            await until(lambda: not observed.health("a").up)
            assert not well(failing(none_left))
            assert not well(failing(a_is_up, unless=True))
            assert well(failing(Question("nbsrv", 1, LESS_THAN_ONE)))
            assert not well(Failing(False, (((a_is_up, none_left),),)))

    observe(scenario)
