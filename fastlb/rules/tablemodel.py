"""Stick tables as the plan holds them. The numbers are those of src/table.h."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from fastlb.config.errors import Location


class TableKind(IntEnum):
    IP = 0
    IPV6 = 1
    INTEGER = 2
    STRING = 3
    BINARY = 4


class Data(IntEnum):
    """What an entry may hold."""

    SERVER_ID = 0
    CONN_CNT = 1
    CONN_CUR = 2
    CONN_RATE = 3
    SESS_CNT = 4
    SESS_RATE = 5
    BYTES_IN_CNT = 6
    BYTES_IN_RATE = 7
    BYTES_OUT_CNT = 8
    BYTES_OUT_RATE = 9
    GPC0 = 10
    GPC0_RATE = 11
    GPC1 = 12
    GPC1_RATE = 13
    GPC = 14
    GPC_RATE = 15
    GPT0 = 16
    GPT = 17


class Operation(IntEnum):
    """What is done with an entry, or asked of it."""

    GET = 0
    KILO = 1
    INC = 2
    CLEAR = 3
    TRACKED = 4
    TRACKERS = 5
    FOUND = 6
    USED = 7
    LEFT = 8
    ADD = 9
    SET = 10
    UPDATE = 11


FETCH_TRACKED, FETCH_SOURCE, FETCH_USE = 200, 201, 202
CONVERT_TABLE = 200


def encoded(operation: Operation, data: int = 0, index: int = 0, track: int = 0) -> int:
    """The word that says all of it."""
    return operation | data << 8 | index << 16 | track << 24


@dataclass(frozen=True, slots=True)
class Stored:
    """``count`` of a thing; ``period_ms`` is 0 unless it is a rate."""

    data: Data
    count: int
    period_ms: int


@dataclass(frozen=True, slots=True)
class StickTable:
    """A stick table, called as its proxy. ``expire_ms`` 0: entries are kept for ever; ``stored`` is in order."""

    name: str
    kind: TableKind
    key_bytes: int
    size: int
    expire_ms: int
    nopurge: bool
    stored: tuple[Stored, ...]
    location: Location

    @property
    def shape(self) -> tuple[object, ...]:
        """What cannot change while there are entries."""
        layout = tuple((one.data, one.count, one.period_ms > 0) for one in self.stored)
        return self.kind, self.key_bytes, self.size, layout
