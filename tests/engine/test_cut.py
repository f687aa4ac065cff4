"""Ending the sessions of a server by the master's order: over all workers, those alone, and no later ones."""

from __future__ import annotations

import socket

import pytest
from engine_peers import echo
from engine_workers import Workers, make_plan, running, session_log, wait_until
from test_connect import closed_port, full_backlog

from fastlb import _engine

DOWN, UP = _engine.CUT_SERVER_DOWN, _engine.CUT_SERVER_UP


def talk(port: int) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port), timeout=20)
    client.sendall(b"hello")
    assert client.recv(10) == b"hello"
    return client


def cut(workers: Workers, slot: int, cause: int) -> None:
    workers.shm.set_server_state(slot, False, 1)
    workers.shm.cut_sessions([slot], cause)
    workers.kick()


def is_reset(client: socket.socket) -> bool:
    try:
        return client.recv(1) != b""
    except ConnectionResetError:
        return True


def lives(client: socket.socket) -> bool:
    client.sendall(b"more")
    return client.recv(10) == b"more"


@pytest.mark.parametrize(("cause", "code"), [(DOWN, "D-"), (UP, "U-")])
def test_all_sessions_of_one_server_end_at_all_workers(serve, cause: int, code: str) -> None:
    """More sessions than one turn of a worker looks at."""
    plan = make_plan([serve(echo), serve(echo)], session_log=session_log("option tcplog"))
    with running(plan, count=2) as workers:
        clients = [talk(workers.port) for _ in range(700)]
        assert min(workers.worker(i)["connections"] for i in range(2)) > 256
        cut(workers, 0, cause)
        wait_until(lambda: workers.server(0)["sessions"] == 0)
        assert workers.server(0)[f"ended_{cause}_total"] == workers.backend()[f"ended_{cause}_total"] == 350
        assert workers.server(1)["sessions"] == 350
        wait_until(lambda: sum(workers.worker(i)["log_lines_total"] for i in range(2)) == 350)
        lines = workers.log_lines()
        assert sum(" be/s0 " in line and f" {code} " in line for line in lines) == len(lines) == 350
        ended = 0
        for client in clients:
            client.setblocking(False)
            try:
                client.recv(1)
            except ConnectionResetError:
                ended += 1
            except BlockingIOError:
                client.setblocking(True)
                assert lives(client)
            client.close()
        assert ended == 350


def test_sessions_that_come_after_an_order_live(serve) -> None:
    """A further order, about another server, has the worker look at all sessions once more."""
    with running(make_plan([serve(echo), serve(echo)])) as workers:
        before, other = talk(workers.port), talk(workers.port)
        cut(workers, 0, DOWN)
        assert is_reset(before)
        workers.shm.set_server_state(0, True, 1)
        after = talk(workers.port)
        assert workers.server(0)["sessions"] == 1
        cut(workers, 1, DOWN)
        assert is_reset(other)
        assert lives(after)
        for client in (before, other, after):
            client.close()


def test_connecting_and_pausing_sessions_end_too(serve) -> None:
    listener, held = full_backlog()
    plan = make_plan(
        [listener.getsockname()[1], closed_port()], connect_ms=20000, session_log=session_log("option tcplog")
    )
    with running(plan) as workers:
        clients = [socket.create_connection(("127.0.0.1", workers.port), timeout=20) for _ in range(2)]
        for client in clients:
            client.sendall(b"hello")
        wait_until(lambda: workers.server(0)["connecting"] == 1 and workers.server(1)["retries_total"] == 1)
        for slot in range(2):
            cut(workers, slot, DOWN)
        assert [is_reset(client) for client in clients] == [True, True]
        wait_until(lambda: workers.sessions() == 0)
        assert sorted(line.split()[6] for line in workers.log_lines()) == ["DC", "DC"]
        assert workers.server(0)["connecting"] == 0
    for client in (*clients, *held, listener):
        client.close()


def test_queued_sessions_stay(serve) -> None:
    """They have no server yet: another may serve them."""
    with running(make_plan([serve(echo), serve(echo)], maxconn=1)) as workers:
        first, second = talk(workers.port), talk(workers.port)
        waiting = socket.create_connection(("127.0.0.1", workers.port), timeout=20)
        waiting.sendall(b"more")
        wait_until(lambda: workers.backend()["queued"] == 1)
        cut(workers, 0, DOWN)
        assert is_reset(first)
        assert lives(second)
        second.close()
        assert waiting.recv(10) == b"more"
        first.close()
        waiting.close()
