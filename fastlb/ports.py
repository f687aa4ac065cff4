"""How many ephemeral ports the connections to each server's address use, and the warning before they are all used.

No socket is looked at. A port is in use while a session has the server, and for the minute of TIME_WAIT after one that
fastlb ended first (the client's FIN was passed on before the server sent its own). Two servers with one address share
its ports, unless their connections come from different sources: each of those has all ports, or the ports of its range.
Not counted: health checks, which leave nothing behind, and other programs' connections to the same address.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Protocol

from fastlb import host
from fastlb.plan.model import Address, Server, Source

WARN_AT = 0.8
_ANY = ("0.0.0.0", "::")
WARN_EVERY_S = 60.0


class _View(Protocol):
    def ports(self, slots: Sequence[int]) -> list[tuple[int, int]]: ...


@dataclass(frozen=True, slots=True)
class PortsTowards:
    """Ports in use from ``source`` (empty: of the kernel's choice) to one address of servers, of ``limit``."""

    address: str
    source: str
    in_use: int
    limit: int


PortsInUse = tuple[PortsTowards, ...]
"""Each pair of address and source once."""

_Way = tuple[Address, Source | None]


@dataclass(frozen=True, slots=True)
class HostStats:
    """The machine's network: the kernel's counters of all listening sockets, and ephemeral ports by address."""

    listen_overflows: int
    listen_drops: int
    ephemeral_ports: int
    ports_in_use: PortsInUse


def host_stats(in_use: PortsInUse) -> HostStats:
    """These ports and the kernel's numbers of now."""
    return HostStats(*host.listen_counters(), host.ephemeral_ports(), in_use)


@dataclass(slots=True)
class _Waiting:
    """Ports of one address in TIME_WAIT: (since when, how many), the oldest first, and their sum."""

    since: deque[tuple[float, int]] = field(default_factory=deque)
    count: int = 0

    def add(self, now_s: float, count: int) -> None:
        self.since.append((now_s, count))
        self.count += count

    def expire(self, before_s: float) -> None:
        while self.since and self.since[0][0] <= before_s:
            self.count -= self.since.popleft()[1]


class PortWatch:
    """Remembers the last minute. To be asked every second; times are CLOCK_MONOTONIC."""

    def __init__(self) -> None:
        self._closed: dict[int, int] = {}  # by slot: closed_first_total at the last look
        self._waiting: dict[_Way, _Waiting] = {}
        self._warned_s = -WARN_EVERY_S

    def look(self, view: _View, servers: Sequence[Server], slots: Sequence[int], now_s: float) -> PortsInUse:
        """As it is now. ``slots`` are those of ``servers``."""
        in_use: Counter[_Way] = Counter()
        closed_before, self._closed = self._closed, {}
        for server, slot, (sessions, closed) in zip(servers, slots, view.ports(slots), strict=True):
            if not server.address.port or server.address.host in _ANY or server.unresolved:
                continue  # no port at all, many destinations or none
            if server.source and server.source.usesrc in ("clientip", "client"):
                continue  # each client has ports of its own
            way = server.address, server.source
            in_use[way] += sessions
            self._closed[slot] = closed
            before = closed_before.get(slot, 0)
            more = closed - before if closed >= before else closed  # a slot that has a new owner counts from 0
            if more:
                self._waiting.setdefault(way, _Waiting()).add(now_s, more)
        self._expire(now_s)
        for way in in_use.keys() & self._waiting.keys():
            in_use[way] += self._waiting[way].count
        ephemeral = host.ephemeral_ports() if in_use else 0
        return tuple(
            PortsTowards(str(address), str(source or ""), count, (source and source.ports) or ephemeral)
            for (address, source), count in in_use.items()
        )

    def _expire(self, now_s: float) -> None:
        for way, waiting in list(self._waiting.items()):
            waiting.expire(now_s - host.time_wait_s(ip_address(way[0].host).is_loopback))
            if not waiting.count:
                del self._waiting[way]

    def warning(self, in_use: PortsInUse, now_s: float) -> str | None:
        """What to tell the operator, at most once a minute."""
        full = max(in_use, key=lambda one: one.in_use / max(one.limit, 1), default=None)
        if full is None or not full.in_use or full.in_use < WARN_AT * full.limit:
            return None
        if now_s - self._warned_s < WARN_EVERY_S:
            return None
        self._warned_s = now_s
        kind, origin = ("source", f" from {full.source}") if full.source else ("ephemeral", "")
        return (
            f"{full.in_use} of the {full.limit} {kind} ports are in use towards {full.address}{origin}: when all are, "
            "no further connection can be made there (widen net.ipv4.ip_local_port_range, or the range of 'source', or "
            "give the server another address as well)"
        )
