"""A ClientHello, byte by byte as RFC 8446 has it, cut into records as a test likes."""

from __future__ import annotations

import struct


def vector(width: int, data: bytes) -> bytes:
    return len(data).to_bytes(width, "big") + data


def extension(kind: int, data: bytes) -> bytes:
    return struct.pack("!H", kind) + vector(2, data)


def sni(name: bytes) -> bytes:
    return extension(0, vector(2, b"\0" + vector(2, name)))


def alpn(*names: bytes) -> bytes:
    return extension(16, vector(2, b"".join(vector(1, name) for name in names)))


def key_share(size: int) -> bytes:
    """As large as those of post-quantum key exchange."""
    return extension(51, vector(2, struct.pack("!H", 0x11EC) + vector(2, bytes(size))))


def message(*extensions: bytes, version: int = 0x0303) -> bytes:
    """The handshake message."""
    body = struct.pack("!H", version) + bytes(32) + vector(1, bytes(32)) + vector(2, b"\x13\x01\x13\x02")
    body += vector(1, b"\0")
    if extensions:
        body += vector(2, b"".join(extensions))
    return b"\x01" + vector(3, body)


def records(data: bytes, size: int = 16384) -> bytes:
    """In records of so many bytes."""
    parts = [data[at : at + size] for at in range(0, len(data), size)]
    return b"".join(b"\x16\x03\x01" + vector(2, part) for part in parts)


def client_hello(name: bytes = b"a.example", size: int = 16384) -> bytes:
    """A usual one."""
    return records(message(extension(43, b"\x02\x03\x04"), sni(name), alpn(b"h2", b"http/1.1"), key_share(1216)), size)
