"""Latency at a fixed rate, by the open-loop client in openloop.c.

Why C: at 10,000 requests a second the same loop in Python was late by nearly twice as much (p99 126 µs, not 77 µs), and
that counts into every latency it tells.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

# The client itself may be this late, or what it tells is about itself.
LAG_P99_LIMIT_US = 1000.0
# The last request may still be due when the time is over: one in a thousand.
SENT_SHARE = 0.999

Cells = Sequence[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class OpenLoop:
    """What came of one run. Latencies are cells of (nanoseconds, how many), as is the client's own lag.

    ``waited`` counts requests that were due while every connection was still waiting for its answer, ``errors``
    connections that broke or brought a wrong answer. ``realtime``: the client went before whoever shares its CPU.
    """

    scheduled: int
    sent: int
    answered: int
    unanswered: int
    waited: int
    errors: int
    realtime: bool
    latency: Cells
    lag: Cells

    @property
    def failures(self) -> int:
        return self.errors + self.unanswered

    @property
    def kept_schedule(self) -> bool:
        """Whether all requests were made when they were due, or as soon as a connection was free for them."""
        in_time = percentile_us(self.lag, 99.0) <= LAG_P99_LIMIT_US
        return in_time and self.sent >= SENT_SHARE * self.scheduled and not self.failures


def run(program: Path, port: int, rate: int, seconds: float, connections: int = 64, path: str = "/5") -> OpenLoop:
    """``rate`` requests a second for ``seconds``, after a warm-up of a tenth of that which is not counted."""
    arguments = [port, path, rate, connections, seconds / 10, seconds]
    command = [str(program), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 30, check=False)
    if done.returncode:
        raise RuntimeError(f"openloop failed: {done.stderr.strip()}")
    said = json.loads(done.stdout)
    latency, lag = (tuple((ns, count) for ns, count in said.pop(name)["cells"]) for name in ("latency", "lag"))
    return OpenLoop(**said, latency=latency, lag=lag)


def merged(histograms: Iterable[Cells]) -> Cells:
    """Several runs as one."""
    sums: dict[int, int] = {}
    for cells in histograms:
        for ns, count in cells:
            sums[ns] = sums.get(ns, 0) + count
    return tuple(sorted(sums.items()))


def percentile_us(cells: Cells, percent: float) -> float:
    """The smallest latency that ``percent`` of all do not exceed; 0 when there were none."""
    wanted, seen = percent / 100 * sum(count for _, count in cells), 0
    for ns, count in cells:
        seen += count
        if seen >= wanted:
            return ns / 1000
    return 0.0
