"""The books of a soak: which faults were in force when, what the conversations came to, and what nothing explains."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import inf

END, UNREADY, SILENT = "end", "unready", "silent"  # what a fault may explain
KEPT = 100  # violations kept word for word


@dataclass
class Window:
    """A fault and its time (time.monotonic): what it explains, up to ``grace`` seconds after its end."""

    name: str
    explains: frozenset[str]
    grace: float
    began: float
    ended: float = inf

    def covers(self, at: float) -> bool:
        return self.began <= at <= self.ended + self.grace


@dataclass(frozen=True)
class Violation:
    """An invariant that did not hold: seconds since the start, which one, and what was seen."""

    at_s: float
    invariant: str
    text: str


@dataclass
class Books:
    """``done`` conversations and ``explained`` ones by kind, ``faults`` by name, ``checked`` by invariant."""

    started: float = field(default_factory=time.monotonic)
    windows: list[Window] = field(default_factory=list)
    violations: list[Violation] = field(default_factory=list)
    violated: Counter[str] = field(default_factory=Counter)
    checked: Counter[str] = field(default_factory=Counter)
    done: Counter[str] = field(default_factory=Counter)
    explained: Counter[str] = field(default_factory=Counter)
    by_fault: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    payload: int = 0
    latencies: list[float] = field(default_factory=list)

    def elapsed_s(self) -> float:
        return time.monotonic() - self.started

    # Faults

    @contextmanager
    def window(self, name: str, explains: frozenset[str], grace: float) -> Iterator[None]:
        """The body is the fault, its recovery included."""
        self.faults[name] += 1
        window = Window(name, explains, grace, time.monotonic())
        self.windows.append(window)
        try:
            yield
        finally:
            window.ended = time.monotonic()

    def explanation(self, what: str, at: float | None = None) -> str | None:
        """The fault that explains ``what`` at a moment (now), the latest if several do."""
        moment = time.monotonic() if at is None else at
        found = [each.name for each in self.windows if what in each.explains and each.covers(moment)]
        return found[-1] if found else None

    def under(self) -> list[str]:
        """The faults in force now."""
        return [each.name for each in self.windows if each.ended == inf]

    # Conversations

    def went_well(self, kind: str, payload: int, latency_s: float | None = None) -> None:
        self.checked["bytes"] += 1
        self.done[kind] += 1
        self.payload += payload
        if latency_s is not None:
            self.latencies.append(latency_s)

    def ended(self, kind: str, text: str, at: float | None = None) -> None:
        """A conversation, as one of its ends saw it, ended otherwise than announced: explained, or a violation."""
        self.checked["endings"] += 1
        fault = self.explanation(END, at)
        if fault:
            self.explained[kind] += 1
            self.by_fault[fault] += 1
        else:
            self.violate("endings", f"{kind}: {text}")

    # Invariants

    def check(self, invariant: str, holds: bool, text: str) -> bool:
        """Count a look at an invariant; ``text`` is what was seen if it does not hold."""
        self.checked[invariant] += 1
        if not holds:
            self.violate(invariant, text)
        return holds

    def violate(self, invariant: str, text: str) -> None:
        self.violated[invariant] += 1
        if len(self.violations) < KEPT:
            faults = ", ".join(self.under()) or "no fault"
            self.violations.append(Violation(round(self.elapsed_s(), 1), invariant, f"{text} [{faults}]"))
