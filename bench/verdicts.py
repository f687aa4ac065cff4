"""What the figures say, in words: where fastlb loses, and which of the project's goals are met."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from bench.cells import Cell, pairs, records
from bench.store import Document, Record

# Ratios of the balancer's CPU per unit to HAProxy's: goals of the project, set for HAProxy 2.6 and one worker.
COST_GOALS = {"keep": 0.82, "close": 0.90, "16k": 0.75, "1m": 0.24, "bulk": 0.62}
IDLE_KIB_GOAL = 1.0
SESSIONS_GOAL, FEW_SESSIONS = 1.1, 32
WORKERS_GOAL = 1.05


@dataclass(frozen=True, slots=True)
class Goal:
    """``value`` is to be at most ``limit``, or at least when ``at_least``."""

    text: str
    value: float
    limit: float
    at_least: bool = False

    @property
    def met(self) -> bool:
        return self.value >= self.limit if self.at_least else self.value <= self.limit


def losses(cells: Iterable[Cell]) -> list[str]:
    """A sentence for each figure in which fastlb is worse; the balancers it loses to stand in one sentence."""
    figures: dict[tuple[str, str, str], list[Cell]] = {}
    for cell in cells:
        if cell.worse:
            figures.setdefault((cell.part, cell.where, cell.what), []).append(cell)
    return [_loss(same) for same in figures.values()]


def _loss(same: Sequence[Cell]) -> str:
    return f"{same[0].where}: {same[0].what} is {', and '.join(_difference(cell) for cell in same)}."


def _difference(cell: Cell) -> str:
    if cell.more_is_better:
        amount = f"{(1 - cell.ratio) * 100:.0f} % below"
    elif cell.ratio >= 2:
        amount = f"{cell.ratio:.1f} times"
    else:
        amount = f"{(cell.ratio - 1) * 100:.0f} % above"
    return f"{amount} that of {cell.peer}" + (" (the rounds overlap)" if cell.overlap else "")


def summary(cells: Sequence[Cell]) -> str:
    """One sentence: in how many of all comparisons fastlb is worse."""
    worse = [cell for cell in cells if cell.worse]
    unsure = sum(cell.overlap for cell in worse)
    if not worse:
        return f"fastlb is not worse in any of {len(cells)} comparisons with HAProxy and nginx."
    doubt = f", {unsure} of them by less than the rounds differ among themselves" if unsure else ""
    return f"fastlb is worse in {len(worse)} of {len(cells)} comparisons with HAProxy and nginx{doubt}."


def goals(document: Document) -> list[Goal]:
    """Those that the measured parts can judge."""
    return [
        *_faceoff_goals(records(document, "faceoff")),
        *_sessions_goals(records(document, "sessions")),
        *_workers_goals(records(document, "workers")),
    ]


def _faceoff_goals(results: list[Record]) -> Iterator[Goal]:
    seen = set()
    for ours, theirs in pairs(results, "workload"):
        name, peer = ours["workload"], theirs["peer"]
        if theirs["kind"] == "nginx" and name in COST_GOALS:
            yield Goal(f"{name}: CPU below that of {peer}", ours["cost"] / theirs["cost"], 1.0)
        if theirs["kind"] != "haproxy" or name in seen:
            continue  # goals are relative to the first HAProxy
        seen.add(name)
        if name == "idle":
            yield Goal("idle: KiB per session", ours["cost"], IDLE_KIB_GOAL)
            continue
        yield Goal(f"{name}: CPU relative to {peer}", ours["cost"] / theirs["cost"], COST_GOALS[name])
        yield Goal(f"{name}: rate relative to {peer}", ours["rate"] / theirs["rate"], 1.0, at_least=True)
        if theirs["p99_us"]:
            yield Goal(f"{name}: p99 relative to {peer}", ours["p99_us"] / theirs["p99_us"], 1.0)


def _sessions_goals(results: list[Record]) -> Iterator[Goal]:
    cost = {record["sessions"]: median(record["cost_us"]) for record in results if record["kind"] == "fastlb"}
    if FEW_SESSIONS in cost and max(cost) > FEW_SESSIONS:
        many = max(cost)
        text = f"keep: CPU with {many:,} sessions relative to {FEW_SESSIONS}"
        yield Goal(text, cost[many] / cost[FEW_SESSIONS], SESSIONS_GOAL)


def _workers_goals(results: list[Record]) -> Iterator[Goal]:
    ours = [record for record in results if record["kind"] == "fastlb"]
    for name in dict.fromkeys(record["workload"] for record in ours):
        cost = {record["workers"]: median(record["cost_us"]) for record in ours if record["workload"] == name}
        if 1 in cost and len(cost) > 1:
            many = max(cost)
            yield Goal(f"{name}: CPU with {many} workers relative to 1", cost[many] / cost[1], WORKERS_GOAL)
