"""``option nolinger``: a reset at the end, and never before what it follows has arrived."""

from __future__ import annotations

import socket
import time

import pytest
from engine_workers import make_plan, running, wait_until

BIG = bytes(range(256)) * 2048  # 512 KiB: spliced, and more than a slow reader's buffers hold
CLIENT_TIMEOUT = 3


def read_slowly(sock: socket.socket) -> tuple[bytes, str]:
    got = bytearray()
    try:
        while piece := sock.recv(32768):
            got += piece
            time.sleep(0.002)
    except ConnectionResetError:
        return bytes(got), "rst"
    return bytes(got), "fin"


def client_of(port: int) -> socket.socket:
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
    client.settimeout(20)
    client.connect(("127.0.0.1", port))
    return client


def test_a_client_has_all_of_the_answer_before_the_reset(serve) -> None:
    def answer(connection: socket.socket) -> None:
        while connection.recv(100):
            pass
        connection.sendall(BIG)

    with running(make_plan([serve(answer)], resets_clients=True)) as workers, client_of(workers.port) as client:
        client.sendall(b"?")
        client.shutdown(socket.SHUT_WR)
        assert read_slowly(client) == (BIG, "rst")
        wait_until(lambda: workers.sessions() == 0)
        assert workers.frontend()["ended_0_total"] == 1
        assert workers.frontend()["undelivered_bytes_total"] == 0


def test_a_server_has_all_of_the_upload_before_the_reset(serve) -> None:
    """And then the session is over, whatever the server would still say."""
    seen = []
    plan = make_plan([serve(lambda connection: seen.append(read_slowly(connection)))], nolinger=True)
    with running(plan) as workers, client_of(workers.port) as client:
        client.sendall(BIG)
        client.shutdown(socket.SHUT_WR)
        assert client.recv(10) == b""
        wait_until(lambda: seen == [(BIG, "rst")])
        assert workers.server(0)["undelivered_bytes_total"] == 0


def test_what_the_server_had_said_still_goes_to_the_client(serve) -> None:
    plan = make_plan([serve(lambda connection: (connection.sendall(BIG), connection.recv(10)))], nolinger=True)
    with running(plan) as workers, client_of(workers.port) as client:
        wait_until(lambda: workers.frontend()["sent_bytes_total"])
        client.shutdown(socket.SHUT_WR)
        got, how = read_slowly(client)
        assert how == "fin"
        assert BIG.startswith(got)
        wait_until(lambda: workers.sessions() == 0)
        assert len(got) == workers.server(0)["received_bytes_total"] == workers.frontend()["sent_bytes_total"]


def test_the_other_side_ends_by_fins(serve) -> None:
    seen = []
    plan = make_plan([serve(lambda connection: seen.append(read_slowly(connection)))], resets_clients=True)
    with running(plan) as workers, client_of(workers.port) as client:
        client.sendall(b"all")
        client.shutdown(socket.SHUT_WR)
        wait_until(lambda: seen == [(b"all", "fin")])
        assert read_slowly(client) == (b"", "rst")


@pytest.mark.parametrize("which", ["resets_clients", "nolinger"])
def test_a_timeout_says_fin_to_clients_first(serve, which: str) -> None:
    seen = []
    plan = make_plan([serve(lambda connection: seen.append(read_slowly(connection)))], client_ms=100, **{which: True})
    with running(plan) as workers, client_of(workers.port) as client:
        assert client.recv(10) == b""
        wait_until(lambda: seen == [(b"", "rst" if which == "nolinger" else "fin")])
        assert workers.frontend()[f"ended_{CLIENT_TIMEOUT}_total"] == 1
