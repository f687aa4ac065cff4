"""Passive checks: what the workers see of servers with ``observe`` (HAProxy manual, section 5.2).

Workers count failed connections in a row, and the times that these reached ``error-limit``; nothing is asked of them
while that number stays the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fastlb._engine import Shm, alarms, server_alarms
from fastlb.health.verdict import Verdict, failure
from fastlb.health.watch import Watch
from fastlb.plan.checkmodel import Observe

MAX_AT_ONCE = 100
"""More alarms than this at one look do no more than these: no health is so good."""

_MODULUS = 1 << 32


def verdict_of(observe: Observe) -> Verdict:
    """In HAProxy's words."""
    return failure("HANA", f"Detected {observe.limit} consecutive errors, last one was: L4 unsuccessful connection")


class Alarms:
    """Which of the servers have new alarms."""

    def __init__(self, view: Shm) -> None:
        self._view = view
        self._total = alarms(view)
        self._seen: dict[Watch, int] = {}

    def observe(self, watches: Iterable[Watch]) -> None:
        """The servers of the plan in force; what was told of new ones before does not count."""
        observed = [watch for watch in watches if watch.server.check is not None and watch.server.check.observe]
        counts = server_alarms(self._view, [watch.slot for watch in observed])
        self._seen = {watch: self._seen.get(watch, count) for watch, count in zip(observed, counts, strict=True)}

    def new(self) -> Iterator[tuple[Watch, int]]:
        """The servers with alarms since the last time, and how many."""
        total = alarms(self._view)
        if total == self._total:
            return
        self._total = total
        watches = list(self._seen)
        for watch, count in zip(watches, server_alarms(self._view, [one.slot for one in watches]), strict=True):
            times, self._seen[watch] = (count - self._seen[watch]) % _MODULUS, count
            if times:
                yield watch, min(times, MAX_AT_ONCE)
