"""Every single comparison of the report: fastlb against one other balancer in one figure. Pure functions of results."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from bench.store import Document, Record

OTHERS = ("haproxy", "nginx")
# Less than this is no difference.
TOLERANCE = 0.01
CPU = "CPU of the balancer"


@dataclass(frozen=True, slots=True)
class Cell:
    """``what`` names the figure, ``where`` the conditions. ``overlap``: the rounds of both have values in common, so
    that another run may turn out the other way."""

    part: str
    where: str
    what: str
    peer: str
    ours: float
    theirs: float
    more_is_better: bool
    overlap: bool

    @property
    def ratio(self) -> float:
        return self.ours / self.theirs

    @property
    def worse(self) -> bool:
        return self.ratio < 1 - TOLERANCE if self.more_is_better else self.ratio > 1 + TOLERANCE


def all_cells(document: Document) -> list[Cell]:
    """In the order of the page."""
    return [cell for name, finder in FINDERS.items() for cell in finder(records(document, name)) if cell.theirs > 0]


def records(document: Document, name: str) -> list[Record]:
    """Of one part; none when it has not been measured."""
    found: list[Record] = document["parts"].get(name, {}).get("results", [])
    return found


def pairs(results: Iterable[Record], *keys: str) -> Iterator[tuple[Record, Record]]:
    """fastlb's record with each other balancer's of the same workload, rate or size: where ``keys`` are equal."""
    everything = list(results)
    for ours in everything:
        if ours["kind"] == "fastlb":
            for theirs in everything:
                if theirs["kind"] in OTHERS and all(theirs[key] == ours[key] for key in keys):
                    yield ours, theirs


def size_words(name: str) -> str:
    """``64 B``, ``4 KiB``, ``1 MiB``."""
    units = {"k": "KiB", "m": "MiB"}
    return f"{name[:-1]} {units[name[-1]]}" if name[-1] in units else f"{name} B"


def _cell(part: str, where: str, what: str, peers: tuple[Record, Record], *path: str, more: bool = False) -> Cell:
    """``path`` leads to the figure within a record: one number, or one for each round. ``more``: more is better."""
    ours, theirs = (_figures(record, path) for record in peers)
    overlap = len(ours) > 1 and min(ours) <= max(theirs) and min(theirs) <= max(ours)
    return Cell(part, where, what, peers[1]["peer"], median(ours), median(theirs), more, overlap)


def _figures(record: Record, path: Sequence[str]) -> list[float]:
    found: Any = record
    for key in path:
        found = found[key]
    return list(found) if isinstance(found, list) else [found]


def _faceoff(results: list[Record]) -> Iterator[Cell]:
    for pair in pairs(results, "workload"):
        name, unit = pair[0]["workload"], pair[0]["unit"].partition("/")[2]
        cost = f"memory per {unit}" if name == "idle" else f"{CPU} per {unit}"
        yield _cell("faceoff", name, cost, pair, "samples", "cost")
        if name != "idle":
            yield _cell("faceoff", name, f"CPU of the machine above direct per {unit}", pair, "over")
            yield _cell("faceoff", name, "rate", pair, "samples", "rate", more=True)
            yield _cell("faceoff", name, "p99 latency", pair, "samples", "p99_us")


def _latency(results: list[Record]) -> Iterator[Cell]:
    for pair in pairs(results, "rate"):
        where = f"{pair[0]['rate']:,} requests a second"
        for name in pair[0]["latency_us"]:
            yield _cell("latency", where, f"{name} latency", pair, "rounds_us", name)
        yield _cell("latency", where, f"{CPU} per request", pair, "cost_us")


def _sessions(results: list[Record]) -> Iterator[Cell]:
    for pair in pairs(results, "sessions"):
        where = f"{pair[0]['sessions']:,} sessions established"
        yield _cell("sessions", where, f"{CPU} per request", pair, "cost_us")


def _sizes(results: list[Record]) -> Iterator[Cell]:
    for pair in pairs(results, "bytes"):
        where = f"answers of {size_words(pair[0]['size'])}"
        yield _cell("sizes", where, f"{CPU} per request", pair, "cost_us")
        yield _cell("sizes", where, "throughput", pair, "rate", more=True)


def _workers(results: list[Record]) -> Iterator[Cell]:
    for pair in pairs(results, "workload", "workers"):
        count = pair[0]["workers"]
        where = f"{pair[0]['workload']} with {count} worker{'s' if count > 1 else ''}"
        yield _cell("workers", where, f"{CPU} per {pair[0]['per']}", pair, "cost_us")
        yield _cell("workers", where, "rate", pair, "rate", more=True)


def _syscalls(results: list[Record]) -> Iterator[Cell]:
    for pair in pairs(results, "workload"):
        unit, many = pair[0]["unit"], pair[0]["connections"]
        yield _cell("syscalls", f"one {unit} after another", "the number of system calls", pair, "total")
        yield _cell("syscalls", f"{unit}, {many} at once", "the number of system calls", pair, "total_at_once")


FINDERS: dict[str, Callable[[list[Record]], Iterator[Cell]]] = {
    "faceoff": _faceoff,
    "latency": _latency,
    "sessions": _sessions,
    "sizes": _sizes,
    "workers": _workers,
    "syscalls": _syscalls,
}
