"""Connecting: retries, redispatch, time limits, clients that leave."""

from __future__ import annotations

import re
import socket
import threading
import time
from pathlib import Path

from engine_peers import echo, say
from engine_tables import plan_of
from engine_workers import make_plan, running, session_log, wait_until


def closed_port() -> int:
    """A port of 127.0.0.1 that refuses: outside the ephemeral range, so that nothing connects to itself."""
    for port in range(20000, 30000):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return port
    raise AssertionError("no closed port")


def ask(port: int) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        return client.recv(100)


def test_redispatch_hides_a_refusing_server(serve) -> None:
    with running(make_plan([closed_port(), serve(say(b"ok"))], redispatch=-1)) as workers:
        assert [ask(workers.port) for _ in range(10)] == [b"ok"] * 10
        assert workers.server(0)["connect_errors_total"] == workers.server(0)["redispatches_total"] == 5
        assert workers.backend()["redispatches_total"] == 5


def test_without_redispatch_the_same_server_is_tried_again_after_a_pause(serve) -> None:
    with running(
        make_plan([closed_port()], retries=2, connect_ms=100, session_log=session_log("option tcplog"))
    ) as workers:
        begin = time.monotonic()
        assert ask(workers.port) == b""
        assert time.monotonic() - begin >= 0.2
        assert workers.server(0)["connect_errors_total"] == 3
        assert workers.server(0)["retries_total"] == 2
        wait_until(lambda: workers.worker()["log_lines_total"] == 1)
        (line,) = workers.log_lines()
        assert re.fullmatch(
            r"127\.0\.0\.1:\d+ \[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d\.\d{3}\] fe be/s0 \d+/-1/\d+ 0 SC 1/1/0/0/2 0/0", line
        ), line


def test_rules_say_how_often_a_server_is_tried(tmp_path: Path) -> None:
    plan = plan_of(
        tmp_path,
        f"""
listen l
 bind 127.0.0.1:1
 timeout connect 50ms
 retries 2
 tcp-request content set-retries 0 if {{ src 127.0.0.2 }}
 tcp-request content set-retries src_port,mul(0),add(1) if {{ src 127.0.0.3 }}
 tcp-request content set-retries src_port,mul(0),add(101)
 server s 127.0.0.1:{closed_port()}
""",
    )
    attempts = []
    with running(plan) as workers:
        for last in (2, 3, 4):
            before = workers.server(0)["connect_errors_total"]
            with socket.create_connection(("127.0.0.1", workers.port), 20, (f"127.0.0.{last}", 0)) as client:
                assert client.recv(1) == b""
            attempts.append(workers.server(0)["connect_errors_total"] - before)
    assert attempts == [1, 2, 3], "what is beyond 100 changes nothing"


def test_a_server_that_is_back_before_the_last_retry_serves(serve) -> None:
    late = socket.socket()
    late.bind(("127.0.0.1", 0))  # bound, not listening: refuses
    with running(make_plan([late.getsockname()[1]], retries=10, connect_ms=50)) as workers:
        client = socket.create_connection(("127.0.0.1", workers.port), timeout=20)
        wait_until(lambda: workers.server(0)["connect_errors_total"] >= 2)
        late.listen()
        connection, _ = late.accept()
        connection.sendall(b"back")
        assert client.recv(10) == b"back"
        client.close()
        connection.close()
    late.close()


def full_backlog() -> tuple[socket.socket, list[socket.socket]]:
    """A listener that no longer answers SYNs."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    held = []
    for _ in range(4):
        client = socket.socket()
        client.setblocking(False)
        client.connect_ex(listener.getsockname())
        held.append(client)
    time.sleep(0.05)
    return listener, held


def test_connect_timeout(serve) -> None:
    listener, held = full_backlog()
    with running(make_plan([listener.getsockname()[1]], retries=1, connect_ms=150)) as workers:
        begin = time.monotonic()
        assert ask(workers.port) == b""
        assert time.monotonic() - begin >= 0.3
        assert workers.server(0)["connect_timeouts_total"] == 2
        assert workers.frontend()["ended_6_total"] == 1
    for client in (*held, listener):
        client.close()


def test_client_timeout_while_connecting(serve) -> None:
    listener, held = full_backlog()
    with running(make_plan([listener.getsockname()[1]], connect_ms=5000, client_ms=200)) as workers:
        assert ask(workers.port) == b""
        assert workers.frontend()["ended_7_total"] == 1
    for client in (*held, listener):
        client.close()


def test_a_client_that_leaves_while_connecting(serve) -> None:
    listener, held = full_backlog()
    with running(make_plan([listener.getsockname()[1]])) as workers:
        client = socket.create_connection(("127.0.0.1", workers.port))
        wait_until(lambda: workers.server(0)["connecting"] == 1)
        client.close()
        wait_until(lambda: workers.frontend()["ended_8_total"] == 1)
    for client in (*held, listener):
        client.close()


def test_idle_sessions_end_at_the_client_timeout(serve) -> None:
    with running(make_plan([serve(echo)], client_ms=200, server_ms=200)) as workers:
        begin = time.monotonic()
        assert ask(workers.port) == b""
        assert time.monotonic() - begin >= 0.2
        assert workers.frontend()["ended_3_total"] == 1


def test_traffic_in_one_direction_keeps_both_sides_open(serve) -> None:
    def stream(connection: socket.socket) -> None:
        for _ in range(10):
            connection.sendall(b"x")
            threading.Event().wait(0.1)

    with running(make_plan([serve(stream)], client_ms=300, server_ms=300)) as workers:
        with socket.create_connection(("127.0.0.1", workers.port), timeout=20) as client:
            received = b""
            while data := client.recv(100):
                received += data
        assert received == b"x" * 10


def test_server_timeout(serve) -> None:
    with running(make_plan([serve(echo)], client_ms=5000, server_ms=150)) as workers:
        assert ask(workers.port) == b""
        assert workers.frontend()["ended_4_total"] == 1


def test_fin_timeout_after_a_half_close(serve) -> None:
    gate = threading.Event()

    def silent(connection: socket.socket) -> None:
        gate.wait(20)

    with running(make_plan([serve(silent)], client_ms=20000, client_fin_ms=200)) as workers:
        with socket.create_connection(("127.0.0.1", workers.port), timeout=20) as client:
            client.sendall(b"bye")
            client.shutdown(socket.SHUT_WR)
            assert client.recv(10) == b""
        assert workers.frontend()["ended_3_total"] == 1
        gate.set()


def test_empty_sessions_leave_nothing(serve) -> None:
    with running(make_plan([serve(echo)])) as workers:
        for _ in range(200):
            socket.create_connection(("127.0.0.1", workers.port)).close()
        wait_until(lambda: workers.frontend()["sessions_total"] == 200)
        wait_until(lambda: workers.sessions() == 0)


def test_accepting_stops_at_the_session_table_and_goes_on(serve) -> None:
    with running(make_plan([serve(echo)]), max_sessions=10) as workers:
        clients = [socket.create_connection(("127.0.0.1", workers.port), timeout=20) for _ in range(30)]
        wait_until(lambda: workers.sessions() == 10)
        for client in clients:
            client.sendall(b"1")
        for client in clients:
            assert client.recv(1) == b"1"
            client.close()
        assert workers.worker()["accept_pauses_total"] > 0
