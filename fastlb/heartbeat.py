"""When a worker counts as hung: its loop has not turned for 3 s while this machine, and the master, were running."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol

SILENT_MS = 3_000
START_MS = 10_000
_TICK_LATE_MS = 1_500
_SUSPENDED_MS = 500


@dataclass(slots=True)
class Pulse:
    """The master's own sense of time, all in ms. ``excused_ms`` is when workers began to count as alive again."""

    monotonic_ms: int
    boottime_ms: int
    excused_ms: int = 0

    def tick(self, monotonic_ms: int, boottime_ms: int) -> None:
        """To be called every half second. A gap means that nobody ran: workers get their full time again.

        CLOCK_BOOTTIME advances during a suspend and CLOCK_MONOTONIC does not, so the two drift apart by it.
        """
        late = monotonic_ms - self.monotonic_ms > _TICK_LATE_MS
        suspended = (boottime_ms - monotonic_ms) - (self.boottime_ms - self.monotonic_ms) > _SUSPENDED_MS
        if late or suspended:
            self.excused_ms = monotonic_ms
        self.monotonic_ms, self.boottime_ms = monotonic_ms, boottime_ms

    def silent_ms(self, since_ms: int) -> int:
        """For how long somebody last heard of at ``since_ms`` has been silent."""
        return self.monotonic_ms - max(since_ms, self.excused_ms)


def clocks_ms() -> tuple[int, int]:
    """CLOCK_MONOTONIC and CLOCK_BOOTTIME."""
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1_000_000, (
        time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000
    )


class _Watched(Protocol):
    """What there is to know of a worker here; ``started_s`` is CLOCK_MONOTONIC."""

    slot: int
    started_s: float
    ready: bool
    killed: bool


class _Rows(Protocol):
    def heartbeat_ms(self, worker: int) -> int: ...


def overdue_ms(pulse: Pulse, child: _Watched, rows: _Rows) -> int:
    """How long a worker has been silent if that is too long: 3 s when it serves, 10 s when it starts; else 0."""
    if child.killed:
        return 0
    since_ms = int(child.started_s * 1000)
    if child.ready:
        since_ms = max(since_ms, rows.heartbeat_ms(child.slot))
    silent_ms = pulse.silent_ms(since_ms)
    return silent_ms if silent_ms > (SILENT_MS if child.ready else START_MS) else 0
