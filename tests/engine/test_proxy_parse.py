"""The parser of PROXY headers: what it takes, what it refuses, and never a wrong address, however cut or mutated."""

from __future__ import annotations

import ipaddress
import struct

import proxy_reference as reference
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as some
from system.harness import proxyheader

from fastlb._engine import parse_proxy_header, proxy_header, proxy_header_fields

V4 = (("192.0.2.1", 1111), ("198.51.100.2", 443))
V6 = (("2001:db8::1", 65535), ("::ffff:198.51.100.2", 0))
SIGNATURE = proxyheader.SIGNATURE
UNIX = SIGNATURE + b"\x21\x31\x00\xd8" + b"x" * 216
LONGEST = b"PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n"


def field(kind: int, value: bytes) -> bytes:
    return struct.pack("!BH", kind, len(value)) + value


NAMING = {
    proxyheader.v1(V4): V4,
    proxyheader.v1(V6): V6,
    b"PROXY TCP4 0.0.0.0 255.255.255.255 0 65535\r\n": (("0.0.0.0", 0), ("255.255.255.255", 65535)),
    b"PROXY TCP6 ::FFFF:1.2.3.4 1:2:3:4:5:6:7:8 1 2\r\n": (("::ffff:1.2.3.4", 1), ("1:2:3:4:5:6:7:8", 2)),
    proxyheader.v2(V4): V4,
    proxyheader.v2(V6): V6,
    proxyheader.v2(V4, field(2, b"example.org") + field(0xEA, b"") + field(4, bytes(3))): V4,
    proxyheader.v2(V4, field(0xE0, bytes(16384 - 16 - 12 - 3))): V4,
    proxy_header(2, True, *V4): V4,
    proxy_header(2, True, *V6): V6,
}
NAMELESS = [
    b"PROXY UNKNOWN\r\n", LONGEST, proxyheader.LOCAL, SIGNATURE + b"\x20\x11\x00\x03abc", UNIX,
    SIGNATURE + b"\x21\x00\x00\x05abcde", SIGNATURE + b"\x21\x12\x00\x0c" + bytes(12),
    SIGNATURE + b"\x21\x20\x00\x24" + bytes(36), proxy_header(2, True),
]  # fmt: skip
REFUSED = {
    "missing": [
        b"G", b"GET / HTTP/1.0\r\n\r\n", b"PROXY\t", b"PROXX", b"proxy ", b"\r\n\r\n\x00\r\nQUIX", b"\x16\x03\x01",
        SIGNATURE + b"\x11", SIGNATURE + b"\x31\x11\x00\x0c", b"\n", b"\x00",
    ],
    "protocol": [
        b"PROXY TCP5 1.2.3.4 5.6.7.8 1 2\r\n", b"PROXY \r\n", b"PROXY UNKNOWNX\r\n",
        b"PROXY tcp4 1.2.3.4 5.6.7.8 1 2\r\n",
        b"PROXY TCP4\r\n", SIGNATURE + b"\x21\x41\x00\x00", SIGNATURE + b"\x21\x13\x00\x0c" + bytes(12),
    ],
    "invalid": [
        b"PROXY TCP4 1.2.3.400 5.6.7.8 1 2\r\n", b"PROXY TCP4 1.2.3.4 5.6.7.8 1 65536\r\n",
        b"PROXY TCP4 1.2.3.4 5.6.7.8 1 02\r\n", b"PROXY TCP4 1.2.3.04 5.6.7.8 1 2\r\n",
        b"PROXY TCP4 1.2.3 5.6.7.8 1 2\r\n", b"PROXY TCP4 1.2.3.4  5.6.7.8 1 2\r\n",
        b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2 \r\n", b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2 3\r\n",
        b"PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n", b"PROXY TCP4 1.2.3.4 5.6.7.8 1 \r\n", b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\n",
        b"PROXY TCP4 ::1 5.6.7.8 1 2\r\n", b"PROXY TCP6 1.2.3.4 ::1 1 2\r\n", b"PROXY TCP6 ::1%lo ::1 1 2\r\n",
        b"PROXY TCP4 1.2.3.4 5.6.7.8 1x 2\r\n", b"PROXY TCP4 1.2.3.4 5.6.7.8 +1 2\r\n",
        b"PROXY TCP4 1.2.3.4\x00 5.6.7.8 1 2\r\n", b"PROXY UNKNOWN " + b"x" * 92 + b"\r\n", b"PROXY " + b"x" * 101,
        SIGNATURE + b"\x22\x11\x00\x0c" + bytes(12), SIGNATURE + b"\x21\x11\x00\x0b" + bytes(11),
        SIGNATURE + b"\x21\x21\x00\x23" + bytes(35), SIGNATURE + b"\x21\x31\x00\xd7" + bytes(215),
        proxyheader.v2(V4, b"\x04"), proxyheader.v2(V4, b"\x04\x00"), proxyheader.v2(V4, b"\x04\x00\x01"),
        proxyheader.v2(V4, field(3, b"abc")), proxyheader.v2(V4, field(3, b"abcd")),
        proxy_header(2, True, *V4)[:-1] + b"\x00", SIGNATURE + b"\x21\x11\x3f\xf1", SIGNATURE + b"\x20\x11\xff\xff",
    ],
}  # fmt: skip
HEADERS = [*NAMING, *NAMELESS]


@pytest.mark.parametrize("header", NAMING, ids=lambda header: repr(header[:60]))
def test_headers_that_name_addresses(header: bytes) -> None:
    assert parse_proxy_header(header + b"\r\nmore") == ("done", len(header), *NAMING[header])
    assert normal(reference.addresses(header) or ()) == normal(NAMING[header])


@pytest.mark.parametrize("header", NAMELESS, ids=lambda header: repr(header[:60]))
def test_headers_after_which_a_connection_keeps_its_own(header: bytes) -> None:
    assert parse_proxy_header(header + b"P") == ("done", len(header), None, None)


@pytest.mark.parametrize(
    ("reason", "data"), [(reason, data) for reason, rows in REFUSED.items() for data in rows],
    ids=lambda part: repr(part[:60]),
)  # fmt: skip
def test_what_is_refused(reason: str, data: bytes) -> None:
    verdict, _, source, destination = parse_proxy_header(data)
    assert (verdict, source, destination) == (reason, None, None)


def test_fields_are_kept_up_to_1024_bytes() -> None:
    first, big, small = field(0xE0, bytes(1000)), field(0xE1, bytes(50)), field(2, b"a")
    header = proxyheader.v2(V4, first + big + field(4, b"padding") + small + field(2, b"b") + field(5, b""))
    assert proxy_header_fields(header) == [(2, b"a"), (5, b""), (0xE0, bytes(1000))] == reference.kept(header)
    assert proxy_header_fields(proxyheader.LOCAL) == []
    assert proxy_header_fields(header[:-1]) == []


def test_a_line_may_have_107_bytes() -> None:
    longest = b"PROXY UNKNOWN " + b"x" * 91 + b"\r\n"
    assert parse_proxy_header(longest) == ("done", 107, None, None)
    assert parse_proxy_header(longest[:-1])[0] == "more"


@pytest.mark.parametrize("header", [h for h in HEADERS if len(h) < 1000], ids=lambda header: repr(header[:60]))
def test_wherever_it_is_cut(header: bytes) -> None:
    for size in range(len(header)):
        assert parse_proxy_header(header[:size])[0] == "more", size


ADDRESS = some.one_of(some.tuples(*[some.ip_addresses(v=4)] * 2), some.tuples(*[some.ip_addresses(v=6)] * 2))
PORT = some.integers(0, 65535)
KINDS = some.one_of(some.integers(0, 7), some.integers(0, 255)).filter(lambda kind: kind != 3)
FIELDS = some.lists(some.tuples(KINDS, some.one_of(some.binary(max_size=40), some.binary(min_size=400, max_size=700))))


@some.composite
def headers(draw: some.DrawFn) -> bytes:
    hosts = draw(ADDRESS)
    ends = (str(hosts[0]), draw(PORT)), (str(hosts[1]), draw(PORT))
    if draw(some.booleans()):
        return proxyheader.v1(ends)
    header = bytearray(proxyheader.v2(ends, b"".join(field(*one) for one in draw(FIELDS))))
    if draw(some.booleans()):
        header[14:16] = struct.pack("!H", len(header) + 7 - 16)
        header += field(3, bytes(4))
        header[-4:] = struct.pack("!I", reference.crc32c(bytes(header)))
    return bytes(header)


@some.composite
def mutated(draw: some.DrawFn) -> bytes:
    """A header with some bytes changed, inserted, repeated or left out."""
    data = bytearray(draw(some.one_of(headers(), some.sampled_from([h for h in HEADERS if len(h) < 1000]))))
    for _ in range(draw(some.integers(1, 3))):
        at = draw(some.integers(0, len(data)))
        new = draw(some.one_of(some.binary(max_size=3), some.sampled_from([b" ", b"\r\n", b"0", b".", b":", b"9"])))
        data[at : at + draw(some.integers(0, 3))] = new
    return bytes(data)


def normal(ends: tuple[tuple[str, int], ...]) -> list[tuple[object, int]]:
    return [(ipaddress.ip_address(host), port) for host, port in ends]


@settings(max_examples=150, deadline=None)
@given(headers(), some.binary(max_size=50))
def test_any_header(header: bytes, payload: bytes) -> None:
    verdict, size, *ends = parse_proxy_header(header + payload)
    assert (verdict, size) == ("done", len(header))
    expected = reference.addresses(header)
    assert expected
    assert normal(ends) == normal(expected)
    assert proxy_header_fields(header + payload) == reference.kept(header)


@settings(max_examples=600, deadline=None)
@given(some.one_of(mutated(), some.binary(max_size=300)), some.data())
@example(b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n", None)
def test_mutations(data: bytes, more: some.DataObject | None) -> None:
    """Addresses are those of the specification or none; and a beginning never says other than the whole."""
    verdict, size, *ends = parse_proxy_header(data)
    expected = reference.addresses(data)
    assert (normal(ends) if verdict == "done" and ends[0] else None) == (normal(expected) if expected else None)
    assert proxy_header_fields(data) == reference.kept(data)
    cut = more.draw(some.integers(0, len(data))) if more else len(data) // 2
    earlier, early_size, *early_ends = parse_proxy_header(data[:cut])
    if earlier != "more":
        assert (earlier, early_ends) == (verdict, ends)
        assert earlier != "done" or early_size == size <= cut
