"""The metrics' HTTP side over real sockets: paths, methods, junk, reloads, and a master that is never held up."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from observed import NOWHERE, plan_of, server_of, tcp, until
from snapshots import health_of, master_info
from system.harness.ports import Ports

from fastlb._engine import Shm
from fastlb.metrics_http import MetricsServer
from fastlb.plan.model import Address, MetricsBind
from fastlb.shm import SharedState
from fastlb.stats import Snapshot, take_snapshot

PATIENCE = float(os.environ.get("FASTLB_PATIENCE", "1"))  # on sanitizer builds and slow machines
PLAN = plan_of([server_of(f"s{i}", 1) for i in range(3)])
HEALTH = [health_of("be0", server.name) for server in PLAN.servers]


PORTS = Ports()


def free_port() -> int:
    return PORTS.take()


def bind_at(port: int, path: str = "/metrics") -> MetricsBind:
    return MetricsBind(tcp(port), NOWHERE, path)


class Served:
    """A metrics server over a real shared memory, on one free port."""

    def __init__(self, snapshot: Callable[[Shm], Snapshot] | None = None) -> None:
        self.shared = SharedState()
        self.numbering = self.shared.install(PLAN)
        self.ready = (True, "2 of 2 workers serve")
        self.well = True
        self.server = MetricsServer(
            snapshot or self.snapshot, self.shared.fd, lambda: self.ready, lambda monitor: self.well
        )
        self.port = free_port()

    def snapshot(self, view: Shm, now_s: float) -> Snapshot:
        return take_snapshot(view, PLAN, self.numbering, HEALTH, master_info())

    async def ask(self, request: str, port: int | None = None) -> tuple[int, dict[str, str], bytes]:
        """Sends one request as it is; (status, headers, body)."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port or self.port)
        writer.write(request.encode())
        answer = await asyncio.wait_for(reader.read(-1), 20)
        writer.close()
        head, _, body = answer.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines[1:])
        return int(lines[0].split()[1]), headers, body

    async def get(self, path: str, *more: str, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
        return await self.ask("\r\n".join((f"{method} {path} HTTP/1.1", "Host: x", *more, "", "")))


def serve(scenario: Callable[[Served], Awaitable[None]], served: Callable[[], Served] = Served) -> None:
    async def run() -> None:
        one, threads = served(), threading.active_count()
        await one.server.install([bind_at(one.port)])
        try:
            await scenario(one)
            assert threading.active_count() <= threads, "everything in one thread"
        finally:
            await one.server.close()
        with pytest.raises(ChildProcessError):
            os.waitpid(-1, os.WNOHANG)  # every child was reaped

    asyncio.run(run())


def test_metrics() -> None:
    async def scenario(one: Served) -> None:
        status, headers, body = await one.get("/metrics")
        assert status == 200
        assert headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert int(headers["content-length"]) == len(body)
        assert body.count(b"fastlb_server_sessions{") == 3
        status, headers, squeezed = await one.get("/metrics", "Accept-Encoding: gzip")
        assert (status, headers["content-encoding"]) == (200, "gzip")
        assert gzip.decompress(squeezed).count(b"\n") == body.count(b"\n")
        if shutil.which("promtool"):
            assert subprocess.run(["promtool", "check", "metrics"], input=body, check=False).returncode == 0

    serve(scenario)


def test_what_was_counted_in_the_shared_memory_is_seen_in_the_child() -> None:
    """The child cannot use the master's mapping: it has its own of the same memory."""

    async def scenario(one: Served) -> None:
        def count(view: Shm, now_s: float) -> Snapshot:
            view.set_server_state(one.numbering.servers[0], True, 77)  # visible to the parent only if shared
            view.publish_schedule(one.numbering.backends[0], [(one.numbering.servers[2], 1)])
            return one.snapshot(view, now_s)

        one.server._snapshot = count
        one.server._text = None
        other = free_port()
        await one.server.install([bind_at(one.port), bind_at(other)])
        assert (await one.ask("GET /metrics HTTP/1.0\r\n\r\n", other))[0] == 200
        assert one.shared.view.schedule(one.numbering.backends[0]) == [one.numbering.servers[2]]

    serve(scenario)


def test_health_and_readiness() -> None:
    async def scenario(one: Served) -> None:
        assert (await one.get("/healthz"))[::2] == (200, b"ok\n")
        assert (await one.get("/readyz"))[::2] == (200, b"2 of 2 workers serve\n")
        one.ready = (False, "1 of 2 workers serve")
        assert (await one.get("/readyz"))[::2] == (503, b"1 of 2 workers serve\n")
        assert (await one.get("/healthz"))[0] == 200

    serve(scenario)


def test_other_paths_and_methods() -> None:
    async def scenario(one: Served) -> None:
        assert (await one.get("/"))[::2] == (404, b"not here; the metrics are at /metrics\n")
        assert (await one.get("/metrics?x=1"))[0] == 200
        for method in ("POST", "PUT", "DELETE", "OPTIONS"):
            status, headers, _ = await one.get("/metrics", "Content-Length: 0", method=method)
            assert (status, headers["allow"]) == (405, "get, head")
        for path in ("/metrics", "/healthz", "/readyz"):
            status, headers, body = await one.get(path, method="HEAD")
            assert (status, body) == (200, b"")
            assert headers.get("content-length") != "0"

    serve(scenario)


def test_junk_is_refused_and_disturbs_nobody() -> None:
    """B11"""

    async def scenario(one: Served) -> None:
        slow = [await asyncio.open_connection("127.0.0.1", one.port) for _ in range(50)]
        for _, writer in slow:
            writer.write(b"GET /metrics HTTP/1.1\r\nHos")
        began = time.monotonic()
        assert (await one.get("/" + "x" * 100_000))[0] == 431
        assert (await one.get("/metrics", "X: " + "y" * 100_000))[0] == 431
        assert (await one.ask("\x16\x03\x01 not HTTP\r\n\r\n"))[0] == 400
        assert (await one.get("//["))[0] == 404
        pipelined = await one.ask("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 100)
        assert pipelined[0] == 200
        assert (await one.get("/metrics"))[0] == 200
        assert time.monotonic() - began < 3
        for reader, writer in slow:
            with contextlib.suppress(ConnectionResetError):
                assert await asyncio.wait_for(reader.read(-1), 6) == b""
            writer.close()
        assert time.monotonic() - began < 5.5

    serve(scenario)


def test_more_connections_than_there_is_room_for() -> None:
    async def scenario(one: Served) -> None:
        many = [await asyncio.open_connection("127.0.0.1", one.port) for _ in range(200)]
        await until(lambda: sum(reader.at_eof() or reader.exception() is not None for reader, _ in many) >= 72)
        for _, writer in many:
            writer.close()
        await asyncio.sleep(0.1)
        assert (await one.get("/healthz"))[0] == 200

    serve(scenario)


def test_a_scrape_does_not_hold_up_the_loop() -> None:
    """A snapshot that takes a second of CPU in the child; two at once, the others wait their turn."""

    class Slow(Served):
        def snapshot(self, view: Shm, now_s: float) -> Snapshot:
            end = time.monotonic() + 0.4 * PATIENCE
            while time.monotonic() < end:
                pass
            return super().snapshot(view, now_s)

    async def scenario(one: Served) -> None:
        gaps, running = [0.0], 0

        async def watch() -> None:
            nonlocal running
            while True:
                last = time.monotonic()
                await asyncio.sleep(0.005)
                gaps.append(time.monotonic() - last - 0.005)
                children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
                running = max(running, len(children))

        watching = asyncio.ensure_future(watch())
        answers = await asyncio.gather(*(one.get("/metrics") for _ in range(5)), one.get("/healthz"))
        watching.cancel()
        assert [status for status, _, _ in answers] == [200] * 6
        assert running == 2
        assert max(gaps) < 0.3 * PATIENCE, "less than a single snapshot takes"

    serve(scenario, Slow)


def test_a_child_that_fails_or_hangs(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("fastlb.render.TIME_LIMIT_S", 0.5)

    class Failing(Served):
        hang = False

        def snapshot(self, view: Shm, now_s: float) -> Snapshot:
            if self.hang:
                time.sleep(60)
            raise ValueError("no such thing")

    async def scenario(one: Served) -> None:
        assert isinstance(one, Failing)
        status, _, body = await one.get("/metrics")
        assert (status, body) == (500, b"cannot render the metrics: the child exited with status 70\n")
        one.hang = True
        began = time.monotonic()
        status, _, body = await one.get("/metrics")
        assert (status, b"longer than" in body) == (500, True)
        assert time.monotonic() - began < 3
        assert (await one.get("/healthz"))[0] == 200
        await asyncio.sleep(0.2)  # the killed child is reaped when its end is seen

    serve(scenario, Failing)
    assert "no such thing" in capfd.readouterr().err


def test_a_client_that_leaves_early_leaves_nothing_behind() -> None:
    async def scenario(one: Served) -> None:
        for _ in range(5):
            _, writer = await asyncio.open_connection("127.0.0.1", one.port)
            writer.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
            await writer.drain()
            writer.transport.abort()
        await asyncio.sleep(1)
        descriptors = len(list(Path("/proc/self/fd").iterdir()))
        assert (await one.get("/metrics"))[0] == 200
        await asyncio.sleep(0.1)
        assert len(list(Path("/proc/self/fd").iterdir())) <= descriptors

    serve(scenario)


def test_reload_keeps_adds_and_removes() -> None:
    async def scenario(one: Served) -> None:
        other = free_port()
        await one.server.install([bind_at(one.port, "/m"), bind_at(other)])
        assert (await one.get("/m"))[0] == 200
        assert (await one.get("/metrics"))[0] == 404
        assert (await one.ask("GET /metrics HTTP/1.0\r\n\r\n", other))[0] == 200
        await one.server.install([bind_at(other)])
        with pytest.raises(ConnectionRefusedError):
            await one.get("/healthz")
        assert (await one.ask("GET /healthz HTTP/1.0\r\n\r\n", other))[0] == 200

    serve(scenario)


def test_an_address_in_use_changes_nothing() -> None:
    async def scenario(one: Served) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            free = free_port()
            with pytest.raises(
                OSError, match=rf"lb.conf:1:1: cannot listen on 127.0.0.1:{port}: Address already in use"
            ):
                await one.server.install([bind_at(free), bind_at(port)])
        assert (await one.get("/healthz"))[0] == 200
        with pytest.raises(ConnectionRefusedError):
            await one.ask("GET /healthz HTTP/1.0\r\n\r\n", free)

    serve(scenario)


def test_unix_sockets(tmp_path: Path) -> None:
    path = tmp_path / "metrics.sock"
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))

    async def scenario(one: Served) -> None:
        await one.server.install([MetricsBind(Address("unix", str(path)), NOWHERE)])
        reader, writer = await asyncio.open_unix_connection(str(path))
        writer.write(b"GET /healthz HTTP/1.0\r\n\r\n")
        assert b" 200 " in await reader.read(-1)
        writer.close()
        await one.server.install([])
        assert not path.exists()

    serve(scenario)


def test_the_missing_extra_is_named() -> None:
    code = """
import asyncio, sys
sys.modules["h11"] = None
from fastlb.metrics_http import MetricsServer
from fastlb.plan.model import Address, Location, MetricsBind
bind = MetricsBind(Address("inet", "127.0.0.1", 0), Location("lb.conf", 7, 3))
async def main():
    server = MetricsServer(None, -1, None, None)
    await server.install([])
    try:
        await server.install([bind])
    except OSError as error:
        print(error)
asyncio.run(main())
"""
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown == "lb.conf:7:3: serving metrics needs 'h11': pip install 'fastlb[metrics]'\n"
