"""The shared memory of the stick tables: which table has which part of it, for as long as a session may use it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from fastlb import _engine
from fastlb.plan.model import Plan
from fastlb.rules.tablemodel import StickTable


@dataclass(frozen=True, slots=True)
class Region:
    """Where a table lies: ``start`` and ``size`` in bytes; ``slot`` is its place in the directory."""

    slot: int
    start: int
    size: int


class TooManyError(ValueError):
    """The shared memory has no room left for one more of something."""


_Key = tuple[str, tuple[object, ...]]


class SharedTables:
    """All stick tables of the service. One keeps its entries as long as its name, type, size and counters stay."""

    def __init__(self) -> None:
        self.fd = _engine.tables_create()
        self.view = _engine.Tables(self.fd)
        self._regions: dict[_Key, Region] = {}
        self._made: set[_Key] = set()
        self._unrepaired: set[int] = set()

    def reserve(self, plan: Plan) -> tuple[int, ...]:
        """The slots of the plan's tables: room for all of them or, with TooManyError, for none. Makes none yet."""
        regions = dict(self._regions)
        for table in plan.tables:
            if _key(table) not in regions:
                regions[_key(table)] = _place(table, regions.values())
        self._regions = regions
        return tuple(regions[_key(table)].slot for table in plan.tables)

    def make(self, plan: Plan) -> None:
        """Makes those tables that are new: a worker that is given the plan wants to see them."""
        for table in plan.tables:
            if _key(table) not in self._made:
                region = self._regions[_key(table)]
                self.view.make(region.slot, region.start, *_shape(table))
                self._configure(table)
                self._made.add(_key(table))

    def install(self, plan: Plan) -> None:
        """What may change of a table that lives, changes."""
        for table in plan.tables:
            self._configure(table)

    def collect(self, live: Iterable[Plan]) -> None:
        """Gives up the tables that are in no live plan, and tries again what repair() had to leave."""
        wanted = {_key(table) for plan in live for table in plan.tables}
        for key in [key for key in self._regions if key not in wanted]:
            region = self._regions.pop(key)
            if key in self._made:
                self._made.remove(key)
                self.view.drop(region.slot, region.size)
        for worker in tuple(self._unrepaired):
            self.repair(worker)

    def repair(self, worker: int) -> None:
        """After a worker's end: what it left half done is undone, what it held is given back."""
        self._unrepaired.discard(worker)
        if self._made and self.view.repair(worker):
            self._unrepaired.add(worker)

    def succeeded(self, worker: int) -> None:
        """A new worker begins in this place: it repairs what is left itself."""
        self._unrepaired.discard(worker)

    def counts_anew(self, slots: Sequence[int]) -> list[tuple[int, int, int]]:
        """(entries, evicted, refused) of each table, in a process that has not inherited the mapping."""
        return _engine.Tables(self.fd).counts(slots) if slots else []

    def _configure(self, table: StickTable) -> None:
        periods = [(one.data, one.period_ms) for one in table.stored if one.period_ms]
        self.view.configure(self._regions[_key(table)].slot, table.expire_ms, table.nopurge, periods)


def _place(table: StickTable, regions: Collection[Region]) -> Region:
    """Where there is room for one more table: the lowest free place."""
    slots = {region.slot for region in regions}
    slot = next((slot for slot in range(_engine.MAX_TABLES) if slot not in slots), None)
    if slot is None:
        raise TooManyError(f"too many stick tables: this build has room for {_engine.MAX_TABLES}")
    size, start = _engine.table_bytes(*_shape(table)), 0
    for region in sorted(regions, key=lambda one: one.start):
        if region.start - start >= size:
            break
        start = region.start + region.size
    if start + size > _engine.TABLE_BYTES:
        limit = f"{_engine.TABLE_BYTES >> 30} GiB"
        raise TooManyError(f"the stick table '{table.name}' is too large: all of them together can have {limit}")
    return Region(slot, start, size)


def _shape(table: StickTable) -> tuple[int, int, int, list[tuple[int, int, bool]]]:
    stored = [(int(one.data), one.count, one.period_ms > 0) for one in table.stored]
    return int(table.kind), table.key_bytes, table.size, stored


def started_anew(old: Plan, new: Plan) -> list[str]:
    """The names of tables whose entries cannot be kept, since their type, size or counters are others."""
    before = {table.name: table.shape for table in old.tables}
    return [table.name for table in new.tables if before.get(table.name, table.shape) != table.shape]


def _key(table: StickTable) -> _Key:
    return table.name, table.shape
