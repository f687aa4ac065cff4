"""Stick tables of the sections, numbered."""

from __future__ import annotations

from collections.abc import Iterator

from fastlb.config.errors import Report, quote
from fastlb.config.ruletree import TableLine
from fastlb.config.tree import Proxy
from fastlb.plan.roles import Roles
from fastlb.rules.tablemodel import Data, StickTable, Stored, TableKind


def plan_tables(roles: Roles, report: Report) -> tuple[StickTable, ...]:
    """All tables, in the order of their sections. A table that 'stick' rules use stores servers, said or not."""
    proxies = {id(merged.proxy): merged.proxy for merged in (*roles.backends, *roles.frontends)}.values()
    sticky = {name for proxy in proxies for name in _stuck_to(proxy)}
    found: dict[str, StickTable] = {}
    for proxy in proxies:
        line = proxy.rules.table
        if line is None:
            continue
        if proxy.name in found:
            message = f"there is a stick table {quote(proxy.name)} already, at {found[proxy.name].location}"
            report.error(line.location, message, "tables are called as their sections: give this one another name")
            continue
        found[proxy.name] = _table(proxy.name, line, sticky=proxy.name in sticky)
    return tuple(found.values())


def _stuck_to(proxy: Proxy) -> Iterator[str]:
    for rule in (*proxy.rules.sticks, *proxy.rules.stores):
        if rule.use is not None:
            yield rule.use.table.text if rule.use.table else proxy.name


def _table(name: str, line: TableLine, *, sticky: bool) -> StickTable:
    stored = {Data[one.name.upper()]: Stored(Data[one.name.upper()], one.count, one.period_ms) for one in line.stored}
    if sticky:
        stored.setdefault(Data.SERVER_ID, Stored(Data.SERVER_ID, 1, 0))
    return StickTable(
        name=name,
        kind=TableKind[line.kind.upper()],
        key_bytes=line.key_bytes,
        size=line.size,
        expire_ms=line.expire_ms,
        nopurge=line.nopurge,
        stored=tuple(stored[data] for data in sorted(stored)),
        location=line.location,
    )
