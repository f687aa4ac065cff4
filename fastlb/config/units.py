"""Numbers with units: times and sizes (HAProxy manual, section 2.5 "Time format" and "Size format")."""

from __future__ import annotations

import re
from typing import NamedTuple

MAX_TIME_MS = 2147483647
_MAX_DIGITS = 18

_INTEGER = re.compile(r"(-?)0*([0-9]+)")
_NUMBER = re.compile(r"([0-9]+)(.*)", re.DOTALL)
_TIME_UNIT = re.compile(r"(us|ms|s|m|h|d)(.*)", re.DOTALL)
_US_PER = {"us": 1, "ms": 1000, "s": 1000_000, "m": 60_000_000, "h": 3600_000_000, "d": 86400_000_000}
_SIZE_PER = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


def units(default: str = "ms") -> str:
    """The units of time, for messages."""
    return f"us, ms, s, m, h or d ({default} if none is given)"


class UnitError(ValueError):
    """The text is no such number; the message says what is wrong with it."""


class Time(NamedTuple):
    """A time in milliseconds, and what follows the unit when something does (``ec`` in ``5sec``)."""

    ms: int
    rest: str


def parse_time(text: str, default_unit: str = "ms") -> Time:
    """Read ``10``, ``10s``, ``2m``: an integer and a unit, rounded up to milliseconds.

    As HAProxy does, ``5sec`` is read as ``5s`` with a rest the caller warns about. Raises UnitError.
    """
    number = _NUMBER.fullmatch(text)
    if number is None:
        raise UnitError(f"a time is a whole number and a unit, {units(default_unit)}")
    digits, suffix = number.groups()
    unit = _TIME_UNIT.fullmatch(suffix or default_unit)
    if unit is None:
        raise UnitError(f"a time is a whole number and a unit, {units(default_unit)}")
    name, rest = unit.groups()
    if len(digits.lstrip("0")) > _MAX_DIGITS:
        raise UnitError(f"the time is too long: at most {MAX_TIME_MS} ms (24.8 days)")
    ms = -(-int(digits) * _US_PER[name] // 1000)
    if ms > MAX_TIME_MS:
        raise UnitError(f"the time is too long: at most {MAX_TIME_MS} ms (24.8 days)")
    return Time(ms, rest)


def parse_size(text: str) -> int:
    """Read ``16384``, ``16k``, ``1m``, ``1g``: a number of bytes, multiples of 1024. Raises UnitError."""
    number = _NUMBER.fullmatch(text)
    if number is None or number[2].lower() not in _SIZE_PER or len(number[1]) > _MAX_DIGITS:
        raise UnitError("a size is a whole number, with k, m or g for multiples of 1024 bytes")
    return int(number[1]) * _SIZE_PER[number[2].lower()]


def parse_integer(text: str, low: int, high: int) -> int:
    """Read a whole number within ``low``..``high``, in decimal digits. Raises UnitError."""
    number = _INTEGER.fullmatch(text)
    if number is None:
        raise UnitError("a whole number is expected")
    sign, digits = number.groups()
    value = int(sign + digits) if len(digits) <= _MAX_DIGITS else high + 1
    if not low <= value <= high:
        raise UnitError(f"the value must be within {low} and {high}")
    return value
