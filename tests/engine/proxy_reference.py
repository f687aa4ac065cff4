"""What the PROXY protocol's specification says of some first bytes, in Python, sharing nothing with the engine."""

from __future__ import annotations

import ipaddress
import re

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
LIMIT = 16384
POLYNOMIAL = 0x82F63B78
_LINE = re.compile(rb"PROXY (TCP4|TCP6) ([^ \0]+) ([^ \0]+) (0|[1-9]\d{0,4}) (0|[1-9]\d{0,4})")

Ends = tuple[tuple[str, int], tuple[str, int]]


def addresses(data: bytes) -> Ends | None:
    """The addresses that a right and complete header at the beginning of ``data`` names; else None."""
    return _line(data) if data.startswith(b"P") else _block(data)


def _line(data: bytes) -> Ends | None:
    line, found, _ = data[:107].partition(b"\r\n")
    match = _LINE.fullmatch(line)
    if not found or not match:
        return None
    kind = ipaddress.IPv4Address if match[1] == b"TCP4" else ipaddress.IPv6Address
    try:
        hosts = [str(kind(match[n].decode("ascii"))) for n in (2, 3)]
    except ValueError:
        return None
    ports = [int(match[n]) for n in (4, 5)]
    if b"%" in match[0] or max(ports) > 65535:
        return None
    return (hosts[0], ports[0]), (hosts[1], ports[1])


def _block(data: bytes) -> Ends | None:
    size = 16 + int.from_bytes(data[14:16], "big")
    if len(data) < 16 or len(data) < size > LIMIT or data[:13] != SIGNATURE + b"\x21" or len(data) < size:
        return None
    kind, length = {0x11: (ipaddress.IPv4Address, 4), 0x21: (ipaddress.IPv6Address, 16)}.get(data[13], (None, 0))
    if kind is None or size < 16 + 2 * length + 4 or not _fields_fit(data[:size], 16 + 2 * length + 4):
        return None
    hosts = [str(kind(data[at : at + length])) for at in (16, 16 + length)]
    ports = [int.from_bytes(data[at : at + 2], "big") for at in (16 + 2 * length, 18 + 2 * length)]
    return (hosts[0], ports[0]), (hosts[1], ports[1])


def _fields_fit(header: bytes, at: int) -> bool:
    checksums = []
    while at < len(header):
        length = int.from_bytes(header[at + 1 : at + 3], "big")
        if len(header) < at + 3 + length:
            return False
        if header[at] == 3:
            checksums.append(header[at + 3 : at + 3 + length])
            zeroed = header[: at + 3] + bytes(length) + header[at + 3 + length :]
            if length != 4 or int.from_bytes(checksums[-1], "big") != crc32c(zeroed):
                return False
        at += 3 + length
    return len(checksums) < 2


def kept(header: bytes) -> list[tuple[int, bytes]]:
    """The first field of each type in a right header that names addresses; of those that say something, 1024 bytes."""
    if header[:1] == b"P" or not addresses(header):
        return []
    header = header[: 16 + int.from_bytes(header[14:16], "big")]
    at, room, found = 28 if header[13] == 0x11 else 52, 1024, {}
    while at < len(header):
        length = int.from_bytes(header[at + 1 : at + 3], "big")
        if header[at] not in (3, 4) and 3 + length <= room:
            room -= 3 + length
            found.setdefault(header[at], header[at + 3 : at + 3 + length])
        at += 3 + length
    return sorted(found.items())


def crc32c(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (POLYNOMIAL if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF
