"""The PROXY header that servers are sent: its bytes, when it leaves, and what it is not counted as."""

from __future__ import annotations

import contextlib
import socket
import struct

import pytest
from engine_stage import stage, tcp_info
from system.harness import proxyheader
from system.harness.proxyheader import field

from fastlb._engine import parse_proxy_header, proxy_header
from fastlb.config.errors import Location, Report
from fastlb.config.logformat import parse_value
from fastlb.config.proxytree import ProxyField
from fastlb.plan.sessionlog import known_texts

V4 = (("192.0.2.1", 1111), ("198.51.100.2", 443))
V6 = (("2001:db8::1", 65535), ("::ffff:198.51.100.2", 0))
HERE = Location("test.cfg", 1, 1)
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


def expected(version: int, client: socket.socket) -> bytes:
    return proxy_header(version, False, client.getsockname(), client.getpeername())


@pytest.mark.parametrize("version", [1, 2])
def test_it_leaves_in_one_packet_with_what_the_client_has_said(version: int) -> None:
    with stage(proxy_version=version) as on, on.connected() as client:
        client.sendall(b"request")
        with on.accepted() as server:
            whole = expected(version, client) + b"request"
            assert on.received(server, len(whole)) == whole
            assert tcp_info(server, 152, "I") == 1, "segments with data"
            server.sendall(b"answer")
            assert on.received(client, 6) == b"answer"
            assert on.counters()["frontend received_bytes_total"] == len(b"request")
            assert on.counters()["server sent_bytes_total"] == len(b"request")
            assert on.counters()["server received_bytes_total"] == len(b"answer")


def test_it_does_not_wait_for_the_client() -> None:
    """Servers that talk first (SMTP, MySQL, SSH) wait for it, and so would everybody."""
    with stage(proxy_version=1) as on, on.connected() as client, on.accepted() as server:
        assert on.received(server, len(expected(1, client))) == expected(1, client)
        server.sendall(b"220 ready")
        assert on.received(client, 9) == b"220 ready"
        client.sendall(b"QUIT")
        assert on.received(server, 4) == b"QUIT"


def test_fields_of_its_own_format() -> None:
    """What a server is told of a client that declares nothing; what is not known is nothing."""
    value = known_texts(parse_value("%ci:%cp %f  %s %[fc_pp_tlv(0xE1)]%%", HERE, Report(), keeps_blanks=True))
    fields = (ProxyField(0xE2, value), ProxyField(0xE0, parse_value("%ID", HERE, Report())))
    unique = parse_value("%{+X}o%cp-%rt", HERE, Report())
    extras = {"proxy_fields": fields, "proxy_unique_id": True, "proxy_authority": True, "unique_id": unique}
    with stage(proxy_version=2, **extras) as on, on.connected() as client, on.accepted() as server:
        host, port = client.getsockname()
        name = f"{port:04X}-0000".encode()
        said = field(0xE2, f"{host}:{port} fe  s0 %".encode()) + field(0xE0, name) + field(5, name)
        whole = proxyheader.v2(proxyheader.ends_of(client), said)
        assert on.received(server, len(whole)) == whole


def test_fields_have_a_limit() -> None:
    """As a whole they are less than what HAProxy and fastlb read."""
    long = parse_value("x" * 9000, HERE, Report())
    fields = tuple(ProxyField(kind, long) for kind in range(0xE0, 0xE5))
    with stage(proxy_version=2, proxy_fields=fields, proxy_crc32c=True) as on, on.connected() as client:
        said = field(0xE0, b"x" * 9000) + field(0xE1, b"x" * (15000 - 9006)) + field(3, bytes(4))
        whole = proxyheader.v2(proxyheader.ends_of(client), said)
        whole = proxyheader.crc32c(whole, len(whole) - 4)
        with on.accepted() as server:
            assert on.received(server, len(whole)) == whole
            assert parse_proxy_header(whole)[:2] == ("done", len(whole))


def test_it_is_no_byte_of_the_session_that_was_delivered() -> None:
    """Undelivered is what the server's kernel has not acknowledged of the client's bytes, to the byte."""
    with stage(proxy_version=2) as on, on.connected() as client:
        server = on.accepted()
        on.inside.turn()
        before = -1
        while before != (before := on.counters()["frontend received_bytes_total"]) or before < 100_000:
            with contextlib.suppress(BlockingIOError):
                client.send(bytes(1 << 20))
            for _ in range(20):
                on.inside.turn(1)
        arrived = tcp_info(server, 128, "Q") - len(expected(2, client))
        server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        server.close()
        on.turn_until(lambda: not on.inside.engine.sessions())
        counters = on.counters()
        assert counters["server undelivered_bytes_total"] == counters["frontend received_bytes_total"] - arrived


def test_without_it_nothing_is_sent() -> None:
    with stage(proxy_version=0) as on, on.connected() as client, on.accepted() as server:
        client.sendall(b"request")
        assert on.received(server, 7) == b"request"
