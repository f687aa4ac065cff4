"""Fetches with arguments of their own: constants, parts of what a client says, dates and chance."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Mapping

from fastlb.config.connections import SHOWN, TCP
from fastlb.config.logpieces import PieceKind
from fastlb.config.ruletree import Part
from fastlb.config.samplearguments import BOOLEANS
from fastlb.rules.converters import encoded, split_number
from fastlb.rules.model import Fetch, TcpFigure
from fastlb.rules.table import Table

Words = tuple[int, int, int]


def compile_fetch(part: Part, table: Table, environ: Mapping[str, str]) -> Words | None:
    """Fetch and arguments of a rule_sample; None for those whose arguments are just numbers, or names.

    What only depends on the machine and on ``environ`` is a constant.
    """
    if part.name == "env":
        value = environ.get(part.arguments[0])
        return (Fetch.NOTHING, 0, 0) if value is None else _text(value, table)
    if part.name == "hostname":
        return _text(socket.gethostname(), table)
    if part.name == "proc":
        return _number("1", table)
    if part.name in _LOCAL:
        return Fetch.IS_LOCAL, _LOCAL[part.name], 0
    if part.name in _OF_THE_MOMENT:
        return _OF_THE_MOMENT[part.name](*part.arguments)
    if part.name in _CONSTANTS:
        return _CONSTANTS[part.name](part.arguments[0], table)
    if part.name in _COOKIES:
        return _COOKIES[part.name], *table.text(encoded(part.arguments[0] if part.arguments else ""))
    if part.name in TCP:
        return _tcp(part)
    if part.name in SHOWN:
        return _shown(SHOWN[part.name])
    return _payload_lv(part) if part.name in _LONG else None


def _tcp(part: Part) -> Words:
    """The second is what the kernel's number is divided by: it has microseconds."""
    side, _, name = part.name.partition("_")
    is_ms = name in ("rtt", "rttvar") and part.arguments != ("us",)
    return Fetch[f"{side.upper()}_TCP"], TcpFigure[name.upper()], 1000 if is_ms else 1


def _shown(kind: PieceKind) -> Words:
    """As a log line shows it; %Th is the same of all sessions."""
    return (Fetch.NUMBER, 0, 0) if kind is PieceKind.HANDSHAKE_MS else (Fetch.SHOWN, kind, 0)


def _payload_lv(part: Part) -> Words:
    """The second is where the text is: twice that, and odd where it is counted from behind its length."""
    offset, width, *text = part.arguments
    relative = not text or text[0].startswith(("+", "-"))
    return (
        _LONG[part.name],
        int(offset) | int(width) << 16,
        (int(text[0] if text else 0) * 2 + relative) & 0xFFFFFFFF,
    )


def _date(offset: str = "0", unit: str = "s") -> Words:
    return _DATES[unit], *split_number(int(offset))


def _rand(numbers: str = "4294967296") -> Words:
    return Fetch.RAND, *split_number(int(numbers))


def _uuid(version: str = "4") -> Words:
    return Fetch.UUID, int(version), 0


def _text(text: str, table: Table) -> Words:
    return Fetch.TEXT, *table.text(encoded(text))


def _bytes(text: str, table: Table) -> Words:
    return Fetch.TEXT, *table.text(bytes.fromhex(text))


def _number(text: str, table: Table) -> Words:
    return Fetch.NUMBER, *split_number(BOOLEANS[text] if text in BOOLEANS else int(text))


def _address(text: str, table: Table) -> Words:
    address = ipaddress.ip_address(text)
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    return Fetch.ADDRESS, table.text(address.packed)[0], family


_LONG = {"req.payload_lv": Fetch.REQ_PAYLOAD_LV, "res.payload_lv": Fetch.RES_PAYLOAD_LV}
_COOKIES = {"req.rdp_cookie": Fetch.REQ_RDP_COOKIE, "req.rdp_cookie_cnt": Fetch.REQ_RDP_COOKIE_CNT}
_DATES = {"s": Fetch.DATE, "ms": Fetch.DATE_IN_MS, "us": Fetch.DATE_IN_US}
_OF_THE_MOMENT: dict[str, Callable[..., Words]] = {"date": _date, "rand": _rand, "uuid": _uuid}
_LOCAL = {"src_is_local": 0, "dst_is_local": 1}
_CONSTANTS: dict[str, Callable[[str, Table], Words]] = {
    "str": _text, "bin": _bytes, "int": _number, "bool": _number, "ipv4": _address, "ipv6": _address,
}  # fmt: skip
