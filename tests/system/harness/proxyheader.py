"""Headers of the PROXY protocol, made from its specification (proxy-protocol.txt) and from nothing of fastlb's."""

import socket
import struct

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
LOCAL = SIGNATURE + b"\x20\x00\x00\x00"

Ends = tuple[tuple[str, int], tuple[str, int]]


def v1(ends: Ends) -> bytes:
    (source, source_port), (destination, destination_port) = (end[:2] for end in ends)
    family = "TCP6" if ":" in source else "TCP4"
    return f"PROXY {family} {source} {destination} {source_port} {destination_port}\r\n".encode()


def v2(ends: Ends, fields: bytes = b"") -> bytes:
    (source, source_port), (destination, destination_port) = (end[:2] for end in ends)
    family = socket.AF_INET6 if ":" in source else socket.AF_INET
    addresses = socket.inet_pton(family, source) + socket.inet_pton(family, destination)
    body = addresses + struct.pack("!HH", source_port, destination_port) + fields
    return SIGNATURE + struct.pack("!BBH", 0x21, 0x21 if ":" in source else 0x11, len(body)) + body


def field(kind: int, value: bytes) -> bytes:
    """A field of version 2."""
    return struct.pack("!BH", kind, len(value)) + value


def crc32c(header: bytes, at: int) -> bytes:
    """A header of version 2 with the checksum in the field whose value is there."""
    crc = 0xFFFFFFFF
    for byte in header[:at] + bytes(4) + header[at + 4 :]:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return header[:at] + struct.pack("!I", crc ^ 0xFFFFFFFF) + header[at + 4 :]


def ends_of(client: socket.socket) -> Ends:
    """The addresses of a client's connection, as it sees them."""
    return client.getsockname()[:2], client.getpeername()[:2]
