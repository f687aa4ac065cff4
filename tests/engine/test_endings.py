"""Why a session ended: each way has its own word. The system tests' truth table has the ways that need real peers."""

from __future__ import annotations

import socket
from contextlib import closing
from dataclasses import replace

from engine_peers import echo
from engine_workers import Workers, make_plan, running, wait_until

from fastlb import _engine


def open_to(workers: Workers) -> socket.socket:
    return socket.create_connection(("127.0.0.1", workers.port), timeout=20)


def reasons(workers: Workers) -> dict[str, int]:
    """How many sessions ended for which reason."""
    row = workers.frontend()
    words = {word: row[f"ended_{cause}_total"] for cause, (word, _, _) in enumerate(_engine.CAUSES)}
    return {word: count for word, count in words.items() if count}


def test_a_frontend_without_a_backend() -> None:
    plan = make_plan([])
    with running(replace(plan, frontends=(replace(plan.frontends[0], backend=-1),))) as workers:
        with closing(open_to(workers)) as client:
            assert client.recv(1) == b""
        assert reasons(workers) == {"no_backend": 1}


def test_the_clients_timeout_in_the_queue(serve) -> None:
    with running(make_plan([serve(echo)], maxconn=1, client_ms=1000)) as workers, closing(open_to(workers)) as first:
        assert first.send(b"x") == len(first.recv(1))
        with closing(open_to(workers)) as second:
            wait_until(lambda: reasons(workers) or keeps_talking(first))
            assert second.recv(1) == b""
        assert reasons(workers) == {"client_timeout_queue": 1}


def keeps_talking(client: socket.socket) -> None:
    """So that its own timeout does not run out."""
    client.sendall(b"x")
    client.recv(1)


def test_the_last_server_goes_away_while_a_session_is_queued(serve) -> None:
    with running(make_plan([serve(echo)], maxconn=1)) as workers, closing(open_to(workers)) as first:
        assert first.send(b"x") == len(first.recv(1))
        with closing(open_to(workers)) as second:
            wait_until(lambda: workers.backend()["queued"] == 1)
            workers.shm.set_server_state(0, False, 1)
            workers.shm.publish_schedule(0, [])
            workers.kick()
            assert second.recv(1) == b""
        assert reasons(workers) == {"no_server_queue": 1}
