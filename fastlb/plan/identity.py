"""Numbers and names that must be unique: ``id`` of proxies, of the binds and the servers of each, and ``guid``."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

from fastlb.config.errors import Location, Report, quote
from fastlb.config.tree import Proxy, Said
from fastlb.plan.values import value_of


def check_identity(proxies: Iterable[Proxy], report: Report) -> None:
    """Report each ``id`` and ``guid`` that is used a second time."""
    ids = _Unique("id", report)
    guids = _Unique("guid", report)
    for proxy in proxies:
        ids.add(proxy.own.id)
        guids.add(proxy.own.guid)
        binds, servers = _Unique("id", report), _Unique("id", report)
        for bind in proxy.binds:
            binds.add(bind.id)
        for server in proxy.servers:
            servers.add(server.own.id)
            guids.add(server.own.guid)


def fill_ids(said: Iterable[int]) -> list[int]:
    """All ids, in the place of each 0 the number of its line, or the next one that is free: HAProxy's."""
    given = list(said)
    taken = set(given)
    filled: list[int] = []
    number = 0
    for one in given:
        number += 1
        if one == 0:
            number = next(free for free in itertools.count(number) if free not in taken)
        filled.append(one or number)
    return filled


def proxy_ids(proxies: Iterable[Proxy]) -> dict[Location, int]:
    """The id of each section, by its place."""
    sections = tuple(proxies)
    ids = fill_ids(value_of(proxy.own.id, 0) for proxy in sections)
    return {proxy.location: number for proxy, number in zip(sections, ids, strict=True)}


class _Unique:
    """The values of one kind, and where each was said first."""

    def __init__(self, what: str, report: Report) -> None:
        self._what = what
        self._report = report
        self._first: dict[Any, Location] = {}

    def add(self, said: Said[Any] | None) -> None:
        if said is None:
            return
        first = self._first.setdefault(said.value, said.location)
        if first is not said.location:
            text = quote(f"{self._what} {said.value}")
            self._report.error(said.location, f"{text} is taken: it was given at {first}")
