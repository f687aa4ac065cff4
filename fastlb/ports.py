"""How many ephemeral ports the connections to each server's address use, and the warning before they are all used.

No socket is looked at. A port is in use while a session has the server, and for the minute of TIME_WAIT after one that
fastlb ended first (the client's FIN was passed on before the server sent its own). Two servers with one address share
its ports. Not counted: health checks, which leave nothing behind, and other programs' connections to the same address.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Protocol

from fastlb import host
from fastlb.plan.model import Address, Server

WARN_AT = 0.8
WARN_EVERY_S = 60.0


class _View(Protocol):
    def ports(self, slots: Sequence[int]) -> list[tuple[int, int]]: ...


PortsInUse = tuple[tuple[str, int], ...]
"""(address of servers, ports in use towards it), each address once."""


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
        self._waiting: dict[Address, _Waiting] = {}
        self._warned_s = -WARN_EVERY_S

    def look(self, view: _View, servers: Sequence[Server], slots: Sequence[int], now_s: float) -> PortsInUse:
        """As it is now. ``slots`` are those of ``servers``."""
        in_use: Counter[Address] = Counter()
        closed_before, self._closed = self._closed, {}
        for server, slot, (sessions, closed) in zip(servers, slots, view.ports(slots), strict=True):
            if not server.address.port:
                continue
            in_use[server.address] += sessions
            self._closed[slot] = closed
            before = closed_before.get(slot, 0)
            more = closed - before if closed >= before else closed  # a slot that has a new owner counts from 0
            if more:
                self._waiting.setdefault(server.address, _Waiting()).add(now_s, more)
        self._expire(now_s)
        for address in in_use.keys() & self._waiting.keys():
            in_use[address] += self._waiting[address].count
        return tuple((str(address), count) for address, count in in_use.items())

    def _expire(self, now_s: float) -> None:
        for address, waiting in list(self._waiting.items()):
            waiting.expire(now_s - host.time_wait_s(ip_address(address.host).is_loopback))
            if not waiting.count:
                del self._waiting[address]

    def warning(self, in_use: PortsInUse, now_s: float) -> str | None:
        """What to tell the operator, at most once a minute."""
        address, count = max(in_use, key=lambda one: one[1], default=("", 0))
        ports = host.ephemeral_ports()
        if not count or count < WARN_AT * ports or now_s - self._warned_s < WARN_EVERY_S:
            return None
        self._warned_s = now_s
        return (
            f"{count} of the {ports} ephemeral ports are in use towards {address}: when all are, no further connection "
            "can be made there (widen net.ipv4.ip_local_port_range, or give the server another address as well)"
        )
