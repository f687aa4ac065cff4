"""What must hold at every look, whatever goes on."""

from __future__ import annotations

from harness.waiting import PATIENCE

from soak_lib.books import END, SILENT, UNREADY
from soak_lib.fault import Stage

HEARTBEAT_S = 2.5 * PATIENCE  # a worker turns its loop twice a second; the rest is for a slow machine
REMOVED = "reload server removed or added"  # this fault lets the counters of one server be forgotten

Series = dict[tuple[str, ...], float]


class Monitor:
    """Looks, and remembers the counters of the last look."""

    def __init__(self, stage: Stage) -> None:
        self._stage, self._books = stage, stage.books
        self._counters: Series = {}
        self._removals = 0

    async def look(self) -> bool:
        """Check everything; False when the master is gone and there is nothing left to check."""
        if not self._books.check("master alive", self._stage.balancer.alive(), "the master has ended"):
            return False
        self._servers_complaints()
        self._trouble()
        try:
            await self._readiness()
            await self._figures()
        except OSError as error:
            explained = self._books.explanation(END) is not None
            self._books.check("doors", explained, f"the metrics port does not answer: {error!r}")
        return True

    def _servers_complaints(self) -> None:
        """What servers saw: wrong bytes are a violation, ends may be explained by a fault."""
        for server in self._stage.servers:
            for complaint in server.complaints():
                if complaint.what == "wrong bytes":
                    self._books.violate("bytes", complaint.detail)
                else:
                    self._books.ended("server side", f"{complaint.what}, {complaint.detail}", complaint.at)

    def _trouble(self) -> None:
        lines = self._stage.balancer.new_trouble() + self._stage.log.new_trouble()
        self._books.check("no trouble in the logs", not lines, "; ".join(lines[:5]))

    async def _readiness(self) -> None:
        ready, said = await self._stage.balancer.ready()
        self._books.check("ready", ready or self._books.explanation(UNREADY) is not None, f"/readyz says {said}")

    async def _figures(self) -> None:
        now = await self._stage.balancer.scrape()
        present = {labels["worker"] for labels, value in now.select("fastlb_worker_up") if value}
        ages = [age for labels, age in now.select("fastlb_worker_heartbeat_age_seconds") if labels["worker"] in present]
        fresh = max(ages, default=0) < HEARTBEAT_S
        excused = self._books.explanation(SILENT) is not None
        self._books.check("heartbeats", fresh or excused, f"the oldest heartbeat is {max(ages, default=0):.1f} s old")
        self._monotonic(now.counters())

    def _monotonic(self, now: Series) -> None:
        before = self._counters
        if self._books.faults[REMOVED] != self._removals or REMOVED in self._books.under():
            before = {key: value for key, value in before.items() if not self._removable(key)}
        self._removals = self._books.faults[REMOVED] - (REMOVED in self._books.under())
        wrong = fallen(before, now)
        self._books.check("counters", not wrong, "; ".join(wrong[:5]))
        self._counters = now

    def _removable(self, key: tuple[str, ...]) -> bool:
        return "proxy=even" in key and f"server={self._stage.servers[-1].name}" in key


def fallen(before: Series, now: Series) -> list[str]:
    """Series that have decreased. One that is not there any more has not: its proxy or server is gone."""
    both = sorted(before.keys() & now)
    return [f"{' '.join(key)}: {before[key]:g} -> {now[key]:g}" for key in both if now[key] < before[key]]
