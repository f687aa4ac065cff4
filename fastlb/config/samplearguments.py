"""The arguments of fetches and converters: how many there are, and what each may be."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable

from fastlb.config.errors import ConfigError, quote
from fastlb.config.fieldtypes import NAMES, field_type
from fastlb.config.keywords import numbered
from fastlb.config.lexer import Word
from fastlb.config.tablewords import MAX_ARRAY, TRACKS
from fastlb.config.units import UnitError, parse_integer

MAX_OFFSET = 15360
INT_MIN, INT_MAX = -(1 << 63), (1 << 63) - 1
BOOLEANS = {"true": 1, "1": 1, "false": 0, "0": 0}
# In the order of their numbers: src/mqtt.pxi.
MQTT_FIELDS = numbered(
    """flags protocol_name protocol_version client_identifier will_topic will_payload username password keepalive"""
)
FIX_TAGS = {
    "BeginString": 8, "BodyLength": 9, "CheckSum": 10, "MsgType": 35, "SenderCompID": 49, "TargetCompID": 56,
}  # fmt: skip
JSON_CODES = {"": 0, "ascii": 0, "utf8": 1, "utf8s": 3, "utf8p": 5, "utf8ps": 7}
_VARIABLE = re.compile(r"(?:sess|txn|req|res)\.[A-Za-z0-9_.]+")


def check_arguments(name: Word, given: tuple[str, ...], kinds: tuple[str, ...]) -> tuple[str, ...]:
    """The arguments: ``()`` is an empty one where that is needed. Raises ConfigError for what ``kinds`` does not allow.

    A ``?`` ends a kind that may be left out.
    """
    if not given and kinds and kinds[0] in _MAY_BE_EMPTY:
        given = ("",)
    needed = sum(not kind.endswith("?") for kind in kinds)
    if not needed <= len(given) <= len(kinds):
        wanted = ",".join(kind.rstrip("?") for kind in kinds)
        hint = f"write '{name.text}({wanted})'" if wanted else f"write {quote(name.text)}"
        raise ConfigError(name.location, f"{quote(name.text)} has {len(given)} arguments", hint)
    for kind, text in zip(kinds, given, strict=False):
        _check(name, kind.rstrip("?"), text)
    return given


def _check(name: Word, kind: str, text: str) -> None:
    if not text and kind not in _MAY_BE_EMPTY:
        raise ConfigError(name.location, f"the {kind} of {quote(name.text)} is missing")
    try:
        if kind in _LIMITS:
            parse_integer(text, *_LIMITS[kind])
        elif kind in _CHECKS:
            _CHECKS[kind](text)
    except (UnitError, ValueError) as failure:
        message = f"the {kind} of {quote(name.text)} cannot be {quote(text)}: {failure}"
        raise ConfigError(name.location, message) from None
    if kind == "number" and int(text) == 0:
        raise ConfigError(name.location, f"the number of {quote(name.text)} is 0")


def is_variable(text: str) -> bool:
    """Whether an argument that may be a number is a variable, ``scope.name``."""
    return _VARIABLE.fullmatch(text) is not None


def _value(text: str) -> None:
    if is_variable(text):
        raise UnitError("a variable is not supported here")
    if not re.fullmatch("[+-]?[0-9]{1,19}", text) or not INT_MIN <= int(text) <= INT_MAX:
        raise UnitError("the value must be a whole number of 64 bits")


def _operand(text: str) -> None:
    try:
        if not is_variable(text):
            _value(text)
    except UnitError:
        raise UnitError("it is a whole number of 64 bits, or a variable, as in 'txn.name'") from None


def _place(text: str) -> None:
    try:
        if not is_variable(text):
            parse_integer(text, 0, MAX_OFFSET)
    except UnitError:
        raise UnitError(f"it is within 0 and {MAX_OFFSET}, or a variable, as in 'txn.name'") from None


def _hexadecimal(text: str) -> None:
    if len(text) % 2 or not re.fullmatch(r"[0-9A-Fa-f]*", text):
        raise UnitError("it is made of pairs of hexadecimal digits")


def _boolean(text: str) -> None:
    if text not in BOOLEANS:
        raise UnitError(f"it is one of {', '.join(BOOLEANS)}")


def _field_type(text: str) -> None:
    if field_type(text) is None:
        raise UnitError(f"it is within 0 and 255, 0xE1 in hexadecimal, or one of {', '.join(NAMES)}")


def _variable(text: str) -> None:
    if not is_variable(text):
        raise UnitError("write its scope before its name, as in 'txn.name'")


def _variable_or_nothing(text: str) -> None:
    if text:
        _variable(text)


def _flags(text: str) -> None:
    if set(text) - set("gi"):
        raise UnitError("there are g, for every match, and i, to ignore the case")


def _bits(text: str) -> None:
    if text not in ("224", "256", "384", "512"):
        raise UnitError("it is one of 224, 256, 384, 512")


def _mqtt_packet(text: str) -> None:
    if text.lower() not in ("connect", "1"):
        raise UnitError("a client begins with 'connect', and nothing else is looked at")


def _mqtt_field(text: str) -> None:
    if text.lower() not in MQTT_FIELDS:
        raise UnitError(f"it is one of {', '.join(MQTT_FIELDS)}")


def _fix_tag(text: str) -> None:
    if text not in FIX_TAGS:
        try:
            parse_integer(text, 1, 999_999_999)
        except UnitError:
            raise UnitError(f"it is a number, or one of {', '.join(FIX_TAGS)}") from None


def _encoding(text: str) -> None:
    if text != "query":
        raise UnitError("there is none but 'query'")


def _code(text: str) -> None:
    if text not in JSON_CODES:
        raise UnitError(f"it is one of {', '.join(filter(None, JSON_CODES))}")


def _precision(text: str) -> None:
    if text not in ("us", "ms"):
        raise UnitError("it is us or ms")


def _unit(text: str) -> None:
    if text not in ("s", "ms", "us"):
        raise UnitError("it is one of s, ms, us")


def _version(text: str) -> None:
    if text not in ("4", "7"):
        raise UnitError("there are 4, which is random, and 7, which begins with the time")


def _relative(text: str) -> None:
    parse_integer(text.removeprefix("+"), -MAX_OFFSET, MAX_OFFSET)


_LIMITS = {
    "offset": (0, MAX_OFFSET),
    "length": (0, MAX_OFFSET),
    "bits": (0, 32),
    "bits6": (0, 128),
    "number": (-1000, 1000),
    "count": (0, 1000),
    "slot": (0, 1000),
    "chunk_size": (1, 8),
    "width": (1, 4),
    "bytes": (0, MAX_OFFSET),
    "seconds": (-INT_MAX, INT_MAX),
    "time": (-INT_MAX, INT_MAX),
    "index": (0, MAX_ARRAY - 1),
    "track": (0, TRACKS - 1),
    "range": (1, 1 << 32),
}
_CHECKS: dict[str, Callable[[str], object]] = {
    "value": _value,
    "value or variable": _operand,
    "offset or variable": _place,
    "length or variable": _place,
    "hexadecimal": _hexadecimal,
    "boolean": _boolean,
    "in_form": _boolean,
    "avalanche": _boolean,
    "truncate": _boolean,
    "ipv4": ipaddress.IPv4Address,
    "ipv6": ipaddress.IPv6Address,
    "variable": _variable,
    "type": _field_type,
    "variable between": _variable_or_nothing,
    "flags": _flags,
    "number of bits": _bits,
    "packet": _mqtt_packet,
    "field": _mqtt_field,
    "tag": _fix_tag,
    "text_offset": _relative,
    "precision": _precision,
    "encoding": _encoding,
    "input code": _code,
    "unit": _unit,
    "version": _version,
}
_MAY_BE_EMPTY = ("text", "variable between", "replacement", "flags", "separator", "delimiter", "input code")
