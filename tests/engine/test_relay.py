"""Bytes through one worker: order, half-close, resets, counters."""

from __future__ import annotations

import hashlib
import os
import random
import socket
import struct
import threading

import pytest
from engine_peers import echo, say
from engine_workers import make_plan, running, wait_until


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=20)


def read_all(connection: socket.socket) -> bytes:
    parts = []
    while data := connection.recv(65536):
        parts.append(data)
    return b"".join(parts)


def test_roundrobin_in_order(serve) -> None:
    ports = [serve(say(b"ping!")), serve(say(b"pong!"))]
    with running(make_plan(ports)) as workers:
        answers = []
        for _ in range(10):
            with connect(workers.port) as client:
                answers.append(read_all(client))
        assert answers == [b"ping!", b"pong!"] * 5


@pytest.mark.parametrize("size", [0, 1, 16384, 16385, 65536, 1 << 20, 20 << 20])
def test_echo_is_exact(serve, size: int) -> None:
    with running(make_plan([serve(echo)])) as workers, connect(workers.port) as client:
        payload = os.urandom(size)
        sender = threading.Thread(target=lambda: (client.sendall(payload), client.shutdown(socket.SHUT_WR)))
        sender.start()
        received = read_all(client)
        sender.join()
        assert hashlib.sha256(received).digest() == hashlib.sha256(payload).digest()
        wait_until(lambda: workers.sessions() == 0)
        assert workers.server(0)["sent_bytes_total"] == workers.frontend()["sent_bytes_total"] == size


def test_large_transfers_are_spliced(serve) -> None:
    with running(make_plan([serve(echo)])) as workers, connect(workers.port) as client:
        payload = os.urandom(8 << 20)
        threading.Thread(target=lambda: (client.sendall(payload), client.shutdown(socket.SHUT_WR))).start()
        assert read_all(client) == payload
        counters = workers.worker()
        assert counters["bytes_spliced_total"] > 2 * counters["bytes_copied_total"]
        assert counters["bytes_spliced_total"] + counters["bytes_copied_total"] == 2 * len(payload)


def test_client_half_close_reaches_the_server_and_the_reply_comes_back(serve) -> None:
    def count(connection: socket.socket) -> None:
        connection.sendall(b"%d" % len(read_all(connection)))

    with running(make_plan([serve(count)])) as workers, connect(workers.port) as client:
        client.sendall(b"x" * 5000)
        client.shutdown(socket.SHUT_WR)
        assert read_all(client) == b"5000"


def test_server_half_close_leaves_the_other_direction_open(serve) -> None:
    seen: list[bytes] = []

    def finish_first(connection: socket.socket) -> None:
        connection.sendall(b"hello")
        connection.shutdown(socket.SHUT_WR)
        seen.append(read_all(connection))

    with running(make_plan([serve(finish_first)])) as workers, connect(workers.port) as client:
        assert read_all(client) == b"hello"
        client.sendall(b"y" * 100_000)
        client.close()
        wait_until(lambda: seen == [b"y" * 100_000])


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def test_server_reset_reaches_the_client_after_the_data(serve) -> None:
    def say_and_reset(connection: socket.socket) -> None:
        connection.recv(1)
        connection.sendall(b"z" * 200_000)
        wait_until(lambda: struct.unpack("i", fcntl_outq(connection))[0] == 0)
        reset(connection)

    with running(make_plan([serve(say_and_reset)])) as workers, connect(workers.port) as client:
        client.sendall(b"1")
        received = b""
        with pytest.raises(ConnectionResetError):
            while True:
                data = client.recv(65536)
                assert data, "a reset must not arrive as a FIN"
                received += data
        assert received == b"z" * 200_000
        wait_until(lambda: workers.sessions() == 0)
        assert workers.frontend()["ended_2_total"] == 1


def fcntl_outq(connection: socket.socket) -> bytes:
    import fcntl
    import termios

    return fcntl.ioctl(connection, termios.TIOCOUTQ, b"\0\0\0\0")


def test_client_reset_reaches_the_server(serve) -> None:
    ended: list[str] = []

    def watch(connection: socket.socket) -> None:
        try:
            while connection.recv(65536):
                pass
            ended.append("fin")
        except ConnectionResetError:
            ended.append("rst")

    with running(make_plan([serve(watch)])) as workers:
        client = connect(workers.port)
        client.sendall(b"x" * 1000)
        wait_until(lambda: workers.server(0)["sent_bytes_total"] == 1000)
        reset(client)
        wait_until(lambda: ended == ["rst"])
        wait_until(lambda: workers.sessions() == 0)
        assert workers.frontend()["ended_1_total"] == 1


def test_urgent_bytes_do_not_block_the_stream(serve) -> None:
    with running(make_plan([serve(echo)])) as workers, connect(workers.port) as client:
        for _ in range(3):
            client.sendall(b"a" * 100_000)
            client.send(b"!", socket.MSG_OOB)
            client.sendall(b"b" * 3)
        client.shutdown(socket.SHUT_WR)
        assert read_all(client) == (b"a" * 100_000 + b"!bbb") * 3


def test_many_random_transfers(serve) -> None:
    dice = random.Random(7)

    def transfer(size: int, pause: float) -> None:
        payload = dice.randbytes(size)
        with connect(workers.port) as client:

            def send() -> None:
                for at in range(0, size, 30_000):
                    client.sendall(payload[at : at + 30_000])
                client.shutdown(socket.SHUT_WR)

            sender = threading.Thread(target=send)
            sender.start()
            threading.Event().wait(pause)
            good.append(read_all(client) == payload)
            sender.join()

    good: list[bool] = []
    with running(make_plan([serve(echo)] * 2)) as workers:
        threads = [
            threading.Thread(target=transfer, args=(int(2 ** dice.uniform(0, 21)), dice.uniform(0, 0.2)))
            for _ in range(60)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert good == [True] * 60
        wait_until(lambda: workers.sessions() == 0)
        totals = [workers.server(i) for i in range(2)]
        assert sum(t["sent_bytes_total"] for t in totals) == workers.frontend()["received_bytes_total"]
        assert sum(t["undelivered_bytes_total"] for t in totals) == 0
