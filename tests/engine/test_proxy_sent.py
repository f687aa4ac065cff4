"""The PROXY header that servers are sent: its bytes, when it leaves, and what it is not counted as."""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from collections.abc import Callable, Iterator

import pytest
from engine_inside import Inside, listen
from engine_workers import make_plan

from fastlb._engine import proxy_header

LOCALHOST = "127.0.0.1"
V4 = (("192.0.2.1", 1111), ("198.51.100.2", 443))
V6 = (("2001:db8::1", 65535), ("::ffff:198.51.100.2", 0))
SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
_MAPPED = bytes(10) + b"\xff\xff\x7f\x00\x00\x01"

# The last four were captured from HAProxy 2.6 on the wire, checksums included.
HEADERS = [
    ((1, False, *V4), b"PROXY TCP4 192.0.2.1 198.51.100.2 1111 443\r\n"),
    ((1, True, *V6), b"PROXY TCP6 2001:db8::1 ::ffff:198.51.100.2 65535 0\r\n"),
    ((2, False, *V4), SIGNATURE + b"\x21\x11\x00\x0c\xc0\x00\x02\x01\xc6\x33\x64\x02\x04\x57\x01\xbb"),
    ((2, False), SIGNATURE + b"\x20\x00\x00\x00"),
    ((1, False), b"PROXY UNKNOWN\r\n"),
    ((2, True), SIGNATURE + b"\x20\x00\x00\x07\x03\x00\x04\xa9\xb8\x7e\x8f"),
    (
        (2, True, ("::ffff:127.0.0.1", 41590), ("::ffff:127.0.0.1", 39503)),
        SIGNATURE + b"\x21\x21\x00\x2b" + _MAPPED + _MAPPED + b"\xa2\x76\x9a\x4f\x03\x00\x04\xd0\xdb\x83\x1b",
    ),
]


@pytest.mark.parametrize(("arguments", "header"), HEADERS)
def test_bytes_of_a_header(arguments: tuple, header: bytes) -> None:
    assert proxy_header(*arguments) == header


@contextlib.contextmanager
def stage(version: int, **plan: object) -> Iterator[tuple[Inside, socket.socket]]:
    """An engine turned by hand, and its server's listening socket."""
    listener = listen(receive_bytes=4096)
    inside = Inside(make_plan([listener.getsockname()[1]], proxy_version=version, **plan))
    try:
        yield inside, listener
        turn_until(inside, lambda: not inside.engine.sessions())
        assert inside.unbalanced() == []
    finally:
        listener.close()
        inside.close()


def connected(inside: Inside) -> socket.socket:
    client = socket.create_connection((LOCALHOST, inside.port))
    client.setblocking(False)
    return client


def turn_until(inside: Inside, condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, inside.counters()
        inside.turn(1)


def accepted(inside: Inside, listener: socket.socket) -> socket.socket:
    found: list[socket.socket] = []

    def accept() -> bool:
        with contextlib.suppress(BlockingIOError):
            found.append(listener.accept()[0])
        return bool(found)

    turn_until(inside, accept)
    found[0].setblocking(False)
    return found[0]


def received(inside: Inside, sock: socket.socket, count: int) -> bytes:
    data = bytearray()

    def read() -> bool:
        with contextlib.suppress(BlockingIOError):
            data.extend(sock.recv(count - len(data)))
        return len(data) >= count

    turn_until(inside, read)
    return bytes(data)


def tcp_info(sock: socket.socket, offset: int, form: str) -> int:
    """A number of struct tcp_info (linux/tcp.h), which grows at its end only."""
    return struct.unpack_from(form, sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 192), offset)[0]


def expected(version: int, client: socket.socket) -> bytes:
    return proxy_header(version, False, client.getsockname(), client.getpeername())


@pytest.mark.parametrize("version", [1, 2])
def test_it_leaves_in_one_packet_with_what_the_client_has_said(version: int) -> None:
    with stage(version) as (inside, listener), connected(inside) as client:
        client.sendall(b"request")
        with accepted(inside, listener) as server:
            whole = expected(version, client) + b"request"
            assert received(inside, server, len(whole)) == whole
            assert tcp_info(server, 152, "I") == 1, "segments with data"
            server.sendall(b"answer")
            assert received(inside, client, 6) == b"answer"
            assert inside.counters()["frontend received_bytes_total"] == len(b"request")
            assert inside.counters()["server sent_bytes_total"] == len(b"request")
            assert inside.counters()["server received_bytes_total"] == len(b"answer")


def test_it_does_not_wait_for_the_client() -> None:
    """Servers that talk first (SMTP, MySQL, SSH) wait for it, and so would everybody."""
    with stage(1) as (inside, listener), connected(inside) as client, accepted(inside, listener) as server:
        assert received(inside, server, len(expected(1, client))) == expected(1, client)
        server.sendall(b"220 ready")
        assert received(inside, client, 9) == b"220 ready"
        client.sendall(b"QUIT")
        assert received(inside, server, 4) == b"QUIT"


def test_it_is_no_byte_of_the_session_that_was_delivered() -> None:
    """Undelivered is what the server's kernel has not acknowledged of the client's bytes, to the byte."""
    with stage(2) as (inside, listener), connected(inside) as client:
        server = accepted(inside, listener)
        inside.turn()
        before = -1
        while before != (before := inside.counters()["frontend received_bytes_total"]) or before < 100_000:
            with contextlib.suppress(BlockingIOError):
                client.send(bytes(1 << 20))
            for _ in range(20):
                inside.turn(1)
        arrived = tcp_info(server, 128, "Q") - len(expected(2, client))
        server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        server.close()
        turn_until(inside, lambda: not inside.engine.sessions())
        counters = inside.counters()
        assert counters["server undelivered_bytes_total"] == counters["frontend received_bytes_total"] - arrived


def test_without_it_nothing_is_sent() -> None:
    with stage(0) as (inside, listener), connected(inside) as client, accepted(inside, listener) as server:
        client.sendall(b"request")
        assert received(inside, server, 7) == b"request"
