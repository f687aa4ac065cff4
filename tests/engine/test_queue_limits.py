"""``maxqueue``, and ``minconn`` with ``fullconn``: exact over all workers."""

from __future__ import annotations

import contextlib
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from engine_workers import make_plan, running, session_log, wait_until

from fastlb.plan.model import Balance

QUEUE_FULL = 21


class Hold:
    """A server that keeps its connections until the test lets go of them, and names itself then."""

    def __init__(self, name: bytes) -> None:
        self.name = name
        self.gate = threading.Event()

    def __call__(self, connection: socket.socket) -> None:
        connection.recv(10)
        self.gate.wait(20)
        connection.sendall(self.name)


def come(port: int) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port), timeout=20)
    client.sendall(b"hello")
    return client


def answer(client: socket.socket) -> bytes:
    """What it is told before the end; a reset tells nothing."""
    with client, contextlib.suppress(ConnectionResetError):
        return client.recv(10)
    return b""


def answers(clients: list[socket.socket]) -> list[bytes]:
    """Of all at once: they do not wait for each other."""
    with ThreadPoolExecutor(len(clients)) as pool:
        return list(pool.map(answer, clients))


@pytest.mark.parametrize("balance", [Balance.ROUNDROBIN, Balance.LEASTCONN, Balance.SOURCE])
def test_the_limit_follows_the_sessions_of_the_backend(serve, balance: Balance) -> None:
    """Those who wait count, too, and each that comes may let the oldest go on."""
    hold = Hold(b"s")
    plan = make_plan([serve(hold)], maxconn=10, minconn=2, fullconn=40, balance=balance)
    with running(plan, count=2) as workers:
        clients = []
        for count in range(1, 49):
            clients.append(come(workers.port))
            served = min(count, 10, max(2, count * 10 // 40))
            wait_until(lambda n=count: workers.backend()["sessions"] == n)
            wait_until(lambda n=served: workers.server(0)["sessions"] == n)
            wait_until(lambda n=count - served: workers.backend()["queued"] == n)
        hold.gate.set()
        assert answers(clients) == [b"s"] * 48


def test_never_one_session_above_a_limit_that_moves(serve) -> None:
    """At most 8 clients at a time: at most 8 * 20 / 40 sessions at the server, which counts them itself."""
    lock, now, most = threading.Lock(), 0, 0

    def count(connection: socket.socket) -> None:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        threading.Event().wait(0.002)
        with lock:
            now -= 1
        connection.sendall(b"s")

    plan = make_plan([serve(count)], maxconn=20, minconn=1, fullconn=40)
    with running(plan, count=4) as workers:
        with ThreadPoolExecutor(8) as pool:
            told = list(pool.map(lambda _: answer(come(workers.port)), range(400)))
        assert told == [b"s"] * 400
    assert 2 <= most <= 4


def test_a_full_queue_takes_nobody_and_its_last_place_is_not_lost(serve) -> None:
    """Many come at once to four workers: one is served, as many wait as may, the others end."""
    hold = Hold(b"s")
    plan = make_plan(
        [serve(hold)], maxconn=1, maxqueue=5, balance=Balance.SOURCE, session_log=session_log("option tcplog")
    )
    with running(plan, count=4) as workers:
        first = come(workers.port)
        wait_until(lambda: workers.server(0)["sessions"] == 1)
        with ThreadPoolExecutor(16) as pool:
            clients = list(pool.map(lambda _: come(workers.port), range(60)))
        wait_until(lambda: workers.server(0)[f"ended_{QUEUE_FULL}_total"] == 55)
        assert workers.server(0)["queued"] == workers.backend()["queued"] == 5
        wait_until(lambda: sum(workers.worker(i)["log_lines_total"] for i in range(4)) == 55)
        lines = workers.log_lines()
        assert all(" be/s0 -1/-1/" in line and " SQ " in line for line in lines)
        assert len(lines) == 55
        hold.gate.set()
        assert sorted(answers([first, *clients])) == [b""] * 55 + [b"s"] * 6


def test_with_redispatch_a_full_queue_is_left_for_another_server(serve) -> None:
    holds = [Hold(b"0"), Hold(b"1"), Hold(b"2")]
    ports = [serve(hold) for hold in holds]
    plan = make_plan(ports, maxconn=1, maxqueue=1, balance=Balance.SOURCE, redispatch=-1)
    with running(plan, count=2) as workers:
        clients = []
        for _ in range(4):  # served, waiting for it, and at the two others
            clients.append(come(workers.port))
            wait_until(lambda: workers.backend()["sessions"] == len(clients))
            wait_until(lambda: sum(workers.server(i)["sessions"] for i in range(3)) == max(1, len(clients) - 1))
        assert workers.backend()["redispatches_total"] == 2
        assert workers.backend()["queued"] == 1
        assert answer(come(workers.port)) == b"", "all are full"
        for hold in holds:
            hold.gate.set()
        names = answers(clients)
        assert names[0] == names[1]
        assert sorted(set(names)) == [b"0", b"1", b"2"]


def test_a_server_without_maxqueue_lets_everybody_wait(serve) -> None:
    hold = Hold(b"s")
    with running(make_plan([serve(hold)], maxconn=1, balance=Balance.SOURCE)) as workers:
        clients = [come(workers.port) for _ in range(30)]
        wait_until(lambda: workers.server(0)["queued"] == 29)
        hold.gate.set()
        assert answers(clients) == [b"s"] * 30
