"""The result of a soak, as markdown or JSON, and the line that is printed while it runs."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from soak_lib.books import Books
from soak_lib.trend import Growth


@dataclass(frozen=True)
class Result:
    """``ended``: how the run came to its end, in words."""

    fastlb: str
    seed: int
    minutes: float
    rate: float
    own_network: bool
    ended: str
    books: Books
    growths: list[Growth]
    restarts: int
    log_lines: int

    def held(self) -> bool:
        """Whether every invariant held all the time."""
        return not self.books.violated

    def figures(self) -> dict[str, Any]:
        """Everything, for programs."""
        books = self.books
        return {
            "held": self.held(), "fastlb": self.fastlb, "seed": self.seed, "asked_minutes": self.minutes,
            "rate": self.rate, "own_network": self.own_network, "ended": self.ended,
            "seconds": round(books.elapsed_s()), "kernel": platform.release(), "cpus": os.cpu_count(),
            "conversations": sum(books.done.values()), "payload_bytes": books.payload,
            "short_connection_s": _percentiles(books.latencies),
            "worker_restarts": self.restarts, "log_lines": self.log_lines,
            "done": dict(books.done), "ended_by_faults": dict(books.explained), "by_fault": dict(books.by_fault),
            "faults": dict(books.faults), "checked": dict(books.checked), "violated": dict(books.violated),
            "violations": [asdict(each) for each in books.violations],
            "growth": [{**asdict(each), "judged": each.judged()} for each in self.growths],
        }  # fmt: skip


def write(result: Result, path: Path) -> None:
    """JSON if the name says so, else markdown."""
    text = json.dumps(result.figures(), indent=1) if path.suffix == ".json" else markdown(result)
    path.write_text(text + "\n")


def markdown(result: Result) -> str:
    figures, books = result.figures(), result.books
    verdict = "every invariant held" if result.held() else "INVARIANTS DID NOT HOLD"
    where = "a network namespace of its own" if result.own_network else "the loopback, without faults of the network"
    parts = [
        f"# Soak: {verdict}",
        f"{result.fastlb}, Linux {figures['kernel']}, {figures['cpus']} CPUs, seed {result.seed}, in {where}.",
        f"{result.ended} after {figures['seconds']} s of {result.minutes:g} min: "
        f"{figures['conversations']} conversations ({result.rate:g} begun a second), "
        f"{books.payload / 1e6:.0f} MB of verified payload, "
        f"{sum(books.faults.values())} faults, {result.restarts} workers replaced, {result.log_lines} log lines.",
        "Short connections, from connect to close: "
        + ", ".join(f"{name} {value * 1000:.1f} ms" for name, value in figures["short_connection_s"].items())
        + ".",
        _violations(result),
        _table("invariant | looks | violations", [(n, books.checked[n], books.violated[n]) for n in _names(books)]),
        _table(
            "kind of client | as announced | ended by a fault",
            [(n, books.done[n], books.explained[n]) for n in sorted({*books.done, *books.explained})],
        ),
        _table(
            "fault | times | conversations that it ended",
            [(name, count, books.by_fault[name]) for name, count in sorted(books.faults.items())],
        ),
        _table("growth | samples | first | last | fitted | bound", [_growth(each) for each in result.growths]),
    ]
    return "\n\n".join(part for part in parts if part)


def _violations(result: Result) -> str:
    return "\n".join(f"- {each.at_s} s, {each.invariant}: {each.text}" for each in result.books.violations)


def _growth(growth: Growth) -> tuple[object, ...]:
    fitted = f"{growth.fitted:+.1f}" if growth.judged() else "too few"
    return growth.name, growth.samples, f"{growth.first:.1f}", f"{growth.last:.1f}", fitted, f"{growth.bound:g}"


def _names(books: Books) -> list[str]:
    return sorted({*books.checked, *books.violated})


def _table(head: str, rows: list[tuple[object, ...]]) -> str:
    lines = [f"| {head} |", "|---" * (head.count("|") + 1) + "|"]
    return "\n".join(lines + [f"| {' | '.join(map(str, row))} |" for row in rows])


def _percentiles(values: list[float]) -> dict[str, float]:
    """In seconds; empty when there is nothing."""
    ranked = sorted(values)
    places = {"median": 0.5, "99 %": 0.99, "99.9 %": 0.999, "longest": 1.0}
    return {name: round(ranked[int(place * (len(ranked) - 1))], 5) for name, place in places.items() if ranked}


def progress(books: Books, held: int, last_latencies: list[float]) -> str:
    """One line: elapsed, connections, transfers, faults, worst latency."""
    faults = ", ".join(books.under()) or "none"
    return (
        f"{books.elapsed_s():6.0f} s  {sum(books.done.values())} conversations, {held} held, "
        f"{books.payload / 1e6:.0f} MB, {sum(books.explained.values())} ended by faults, "
        f"{sum(books.faults.values())} faults (now: {faults}), "
        f"worst {max(last_latencies, default=0) * 1000:.0f} ms, {sum(books.violated.values())} violations"
    )
