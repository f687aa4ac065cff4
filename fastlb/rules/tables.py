"""What rules do with stick tables, and what samples ask of them, to words of src/table.h."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from fastlb.config.errors import ConfigError, Location, quote
from fastlb.config.ruletree import Action, Kind, Part, Rule, Sample
from fastlb.config.suggest import did_you_mean
from fastlb.config.tablewords import CONVERTERS, FETCHES, Asked
from fastlb.rules.model import NO_INDEX, Verdict
from fastlb.rules.tablemodel import (
    CONVERT_TABLE,
    FETCH_SOURCE,
    FETCH_TRACKED,
    FETCH_USE,
    Data,
    Operation,
    StickTable,
    TableKind,
    encoded,
)

_FETCHES = {"sc": FETCH_TRACKED, "src": FETCH_SOURCE, "table": FETCH_USE}
_STRINGS = (Kind.TEXT, Kind.BYTES)
# What can be a key of each type.
_KEYS = {
    TableKind.IP: (Kind.ADDRESS, Kind.INTEGER, Kind.TEXT),
    TableKind.IPV6: (Kind.ADDRESS, Kind.INTEGER, Kind.TEXT),
    TableKind.INTEGER: (Kind.INTEGER, Kind.BOOL, Kind.VERSION, Kind.ADDRESS, Kind.TEXT),
    TableKind.STRING: tuple(Kind),
    TableKind.BINARY: (Kind.ADDRESS, Kind.INTEGER, *_STRINGS),
}


def fetch_words(part: Part, proxy: str, tables: Mapping[str, StickTable]) -> tuple[int, int, int] | None:
    """(fetch, first, second) of a rule_sample, or None for a fetch that has nothing to do with tables."""
    sample = FETCHES.get(part.name)
    if sample is None:
        return None
    given = dict(zip((kind.rstrip("?") for kind in sample.arguments), part.arguments, strict=False))
    track = int(given.get("track", max(sample.track, 0)))
    table = NO_INDEX
    if "table" in given or sample.origin != "sc":
        table = find_table(given.get("table", proxy), part.location, tables)
    if sample.origin == "src":
        _check_key(Kind.ADDRESS, "'src'", part.location, _at(tables, table))
    return _FETCHES[sample.origin], table, _word(sample.asked, int(given.get("index", 0)), track)


def converter_words(
    part: Part, kind: Kind, tables: Mapping[str, StickTable]
) -> tuple[int, int, int, int, int, int, int, int] | None:
    """The words of a rule_converter that asks a table of a key of that kind; None for other converters."""
    sample = CONVERTERS.get(part.name)
    if sample is None:
        return None
    table = find_table(part.arguments[-1], part.location, tables)
    _check_key(kind, "what stands before it", part.location, _at(tables, table))
    index = int(part.arguments[0]) if sample.asked.indexed else 0
    return CONVERT_TABLE, 0, table, _word(sample.asked, index, 0), 0, NO_INDEX, 0, 0


def rule_words(
    rule: Rule, proxy: str, tables: Mapping[str, StickTable], sample: Callable[[Sample], tuple[int, ...]]
) -> tuple[int, tuple[int, ...]]:
    """(action, words of its argument) of a rule about a table; ``sample`` gives the words of a rule_sample."""
    use = rule.use
    assert use is not None
    if rule.action is Action.COUNT:
        what = encoded(Operation[use.operation.upper()], Data[use.data.upper()], use.index, use.track)
        words = sample(use.sample) if use.sample else (0, 0, 0, NO_INDEX, 0)
        return Verdict.COUNT, (what, use.value, int(use.sample is not None), *words)
    where = use.table.location if use.table else rule.location
    table = find_table(use.table.text if use.table else proxy, where, tables)
    assert use.sample is not None
    _check_key(use.sample.kind, quote(use.sample.fetch.name), use.sample.fetch.location, _at(tables, table))
    if rule.action is Action.TRACK:
        return Verdict.TRACK, (table, use.track, *sample(use.sample))
    return Verdict.STICK, (table, use.flags, *sample(use.sample))


def find_table(name: str, where: Location, tables: Mapping[str, StickTable]) -> int:
    """The number of the table of that name. Raises ConfigError."""
    if name not in tables:
        hint = did_you_mean(name, tables) or f"a table is a 'stick-table' line in the section {quote(name)}"
        raise ConfigError(where, f"there is no stick table {quote(name)}", hint)
    return list(tables).index(name)


def _at(tables: Mapping[str, StickTable], number: int) -> StickTable:
    return tables[list(tables)[number]]


def _word(asked: Asked, index: int, track: int) -> int:
    return encoded(Operation[asked.operation.upper()], Data[asked.data.upper()] if asked.data else 0, index, track)


def _check_key(kind: Kind, what: str, where: Location, table: StickTable) -> None:
    if kind is not Kind.ANY and kind not in _KEYS[table.kind]:
        keys = table.kind.name.lower()
        message = f"{what} is {kind.value}, which cannot be a key of the stick table {quote(table.name)} of type {keys}"
        raise ConfigError(where, message)
