"""Values of a test, and keys of a map, as written to what they mean."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from typing import NamedTuple

from fastlb.config.errors import ConfigError, Location, Report, quote
from fastlb.config.lexer import Word
from fastlb.config.ruletree import Kind

INT_MIN, INT_MAX = -(1 << 63), (1 << 63) - 1
_OPERATORS = ("eq", "ge", "gt", "le", "lt")
_NUMBER = re.compile(r"(-?[0-9]{1,18})?(:)?(-?[0-9]{1,18})?")
_VERSION = re.compile(r"([0-9]{1,5})(?:\.([0-9]{1,5}))?")
_IPV4_PARTS = 4
_DIGITS = re.compile(r"[0-9]{1,3}")
_LONGEST_NUMBER = 40

Resolve = Callable[[str, Location], str | None]


class Network(NamedTuple):
    """Addresses ``low`` to ``high`` of IP version 4 or 6; ``bits`` of them are given."""

    version: int
    low: int
    high: int
    bits: int


def network(word: Word, report: Report, resolve: Resolve | None) -> Network | None:
    """An address, ``address/bits`` or ``address/mask``. Raises ConfigError; None for a name that was reported."""
    host, slash, mask = word.text.partition("/")
    if ":" in host:
        return _network(6, _pton(socket.AF_INET6, host, word), _bits(mask, 128, word) if slash else 128)
    if found := _ipv4(host, bool(slash), word, report):
        return _network(4, found, _ipv4_bits(mask, word) if slash else 32)
    if resolve is None or slash or not host or host[0].isdigit():
        raise _no_network(word)
    address = resolve(host, word.location)
    if address is None:
        return None
    version = 6 if ":" in address else 4
    family = socket.AF_INET6 if version == 6 else socket.AF_INET
    return _network(version, socket.inet_pton(family, address), 128 if version == 6 else 32)


def _no_network(word: Word) -> ConfigError:
    hint = "write an address, or a network as 10.0.0.0/8 or 2001:db8::/32"
    return ConfigError(word.location, f"{quote(word.text)} is no address", hint)


def _pton(family: int, text: str, word: Word) -> bytes:
    try:
        return socket.inet_pton(family, text)
    except (OSError, ValueError):
        raise _no_network(word) from None


def _ipv4(host: str, is_network: bool, word: Word, report: Report) -> bytes | None:
    """Four bytes; None for what is no number. In a network, HAProxy reads '192.168.42' as '192.168.0.42'."""
    try:
        return socket.inet_pton(socket.AF_INET, host)
    except (OSError, ValueError):
        pass
    parts = host.split(".")
    if not is_network or len(parts) >= _IPV4_PARTS or not all(map(_DIGITS.fullmatch, parts)):
        return None
    if max(map(int, parts)) > 255:
        raise _no_network(word)
    full = ".".join([*parts[:-1], *["0"] * (_IPV4_PARTS - len(parts)), parts[-1]])
    hint = "write all four numbers"
    report.warning(word.location, f"{quote(host)} is read as {quote(full)}, as HAProxy does", hint)
    return socket.inet_pton(socket.AF_INET, full)


def _ipv4_bits(mask: str, word: Word) -> int:
    if "." not in mask:
        return _bits(mask, 32, word)
    number = int.from_bytes(_pton(socket.AF_INET, mask, word), "big")
    inverted = number ^ 0xFFFFFFFF
    if inverted & (inverted + 1):
        raise ConfigError(word.location, f"the mask of {quote(word.text)} has holes", "list its networks")
    return 32 - inverted.bit_length()


def _bits(text: str, most: int, word: Word) -> int:
    if not _DIGITS.fullmatch(text) or int(text) > most:
        raise ConfigError(word.location, f"the mask of {quote(word.text)} is not within 0 and {most}")
    return int(text)


def _network(version: int, packed: bytes, bits: int) -> Network:
    free = 8 * len(packed) - bits
    low = int.from_bytes(packed, "big") >> free << free
    return Network(version, low, low | ((1 << free) - 1), bits)


def numbers(words: list[Word], kind: Kind) -> list[tuple[int, int]]:
    """Ranges of whole numbers: ``5``, ``1:1023``, ``:80``, ``80:``; behind an operator each is compared by it."""
    found: list[tuple[int, int]] = []
    operator = "eq"
    for word in words:
        if word.text in _OPERATORS:
            operator = word.text
            continue
        low, high = _range(word, kind)
        if operator != "eq" and (low is None or low != high):
            raise ConfigError(word.location, f"{quote(operator)} cannot be followed by the range {quote(word.text)}")
        found.append(_compared(operator, low, high))
    return found


def _compared(operator: str, low: int | None, high: int | None) -> tuple[int, int]:
    first, last = INT_MIN if low is None else low, INT_MAX if high is None else high
    return {
        "eq": (first, last), "ge": (first, INT_MAX), "gt": (first + 1, INT_MAX), "le": (INT_MIN, last),
        "lt": (INT_MIN, last - 1),
    }[operator]  # fmt: skip


def _range(word: Word, kind: Kind) -> tuple[int | None, int | None]:
    text = word.text if len(word.text) <= _LONGEST_NUMBER else ""
    if kind is Kind.VERSION:
        ends = [_version(part, word) for part in text.split(":", 1)]
        low, high = ends[0], ends[-1]
    else:
        found = _NUMBER.fullmatch(text)
        if found is None or found[1] is found[3] is None or (found[3] and not found[2]):
            raise ConfigError(word.location, f"{quote(word.text)} is no whole number", "ranges are written 1:1023")
        low = int(found[1]) if found[1] else None
        high = int(found[3]) if found[3] else (None if found[2] else low)
    if low is not None and high is not None and low > high:
        raise ConfigError(word.location, f"the range {quote(word.text)} is upside down")
    return low, high


def _version(text: str, word: Word) -> int | None:
    """``3.1`` as the record layer has it: 3 in the upper 16 bits."""
    if not text:
        return None
    found = _VERSION.fullmatch(text)
    if found is None:
        raise ConfigError(word.location, f"{quote(word.text)} is no version", "write 3.1 for TLS 1.0, 3.3 for TLS 1.2")
    return int(found[1]) << 16 | int(found[2] or 0)


def text(word: Word, *, ignore_case: bool) -> bytes:
    """The bytes to compare with."""
    data = word.text.encode("utf-8", "surrogateescape")
    return data.lower() if ignore_case else data


def hexadecimal(word: Word) -> bytes:
    """Bytes written as pairs of hexadecimal digits."""
    try:
        if not word.text.isalnum():
            raise ValueError
        return bytes.fromhex(word.text)
    except ValueError:
        raise ConfigError(word.location, f"{quote(word.text)} is not made of pairs of hexadecimal digits") from None
