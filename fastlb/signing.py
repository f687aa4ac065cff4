"""``tcp-md5sig``: TCP segments that are signed with a key, and dropped without it (RFC 2385; tcp(7), TCP_MD5SIG)."""

from __future__ import annotations

import contextlib
import os
import socket
import struct

_MD5SIG_EXT = 32
_PREFIX = 1
_KEY_BYTES = 80
# linux/tcp.h, struct tcp_md5sig: address, flags, length of the prefix and of the key, interface, key.
_LAYOUT = f"=128sBBHi{_KEY_BYTES}s"
_ANY4 = struct.pack("=H2x4x", socket.AF_INET)
_ANY6 = struct.pack("=H2x4x16x4x", socket.AF_INET6)
_MAPPED = struct.pack("=H2x4x10x2s4x4x", socket.AF_INET6, b"\xff\xff")


def set_key(sock: socket.socket, key: str) -> None:
    """Whoever is at the other end signs with this key. An empty one forgets another. Raises OSError."""
    for address in (_ANY4,) if sock.family == socket.AF_INET else (_ANY6, _MAPPED):
        with contextlib.suppress(FileNotFoundError):  # there was none to forget
            sock.setsockopt(socket.IPPROTO_TCP, _MD5SIG_EXT, _signature(address, os.fsencode(key)))


def _signature(address: bytes, key: bytes) -> bytes:
    return struct.pack(_LAYOUT, address.ljust(128, b"\0"), _PREFIX, 0, len(key), 0, key)
