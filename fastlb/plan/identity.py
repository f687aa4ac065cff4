"""Numbers and names that must be unique: ``id`` of proxies, of the binds and the servers of each, and ``guid``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fastlb.config.errors import Location, Report, quote
from fastlb.config.tree import Proxy, Said


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
