"""What a regular expression is made of: nodes of its tree. A set of bytes is a whole number with one bit for each."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

ALL_BYTES = (1 << 256) - 1


class Place(IntEnum):
    """What can hold between two bytes. The values are src/rules.h's."""

    START = 0
    END = 1
    END_OR_NEWLINE = 2  # "$": also before a newline that ends the text
    LINE_START = 3
    LINE_END = 4
    WORD_EDGE = 5
    NO_WORD_EDGE = 6


@dataclass(frozen=True, slots=True)
class OneOf:
    """One byte of a set."""

    bytes: int


@dataclass(frozen=True, slots=True)
class At:
    """Nothing, at a certain place."""

    place: Place


@dataclass(frozen=True, slots=True)
class Row:
    """One after the other; none is the empty text."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Either:
    """The first that leads to a match."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """``least`` to ``most`` times (None: any number), as often as possible or, ``lazy``, as seldom."""

    part: Node
    least: int
    most: int | None
    lazy: bool


@dataclass(frozen=True, slots=True)
class Group:
    """What is remembered as number ``number``."""

    part: Node
    number: int


Node = OneOf | At | Row | Either | Repeat | Group


def byte_set(text: str | bytes) -> int:
    """The set of these bytes."""
    found = 0
    for byte in text.encode("latin-1") if isinstance(text, str) else text:
        found |= 1 << byte
    return found


def byte_range(low: int, high: int) -> int:
    """The set of the bytes from ``low`` to ``high``."""
    return (1 << (high + 1)) - (1 << low)


LOWER, UPPER = byte_range(0x61, 0x7A), byte_range(0x41, 0x5A)
DIGITS = byte_range(0x30, 0x39)
LETTERS = LOWER | UPPER
WORD = LETTERS | DIGITS | byte_set("_")
SPACE = byte_set(" \t\n\v\f\r")


def folded(found: int) -> int:
    """The set with both cases of its letters."""
    return found | (found & LOWER) >> 32 | (found & UPPER) << 32
