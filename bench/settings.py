"""How long and how often everything is measured: in full, scaled, or just to see that it runs."""

from __future__ import annotations

import os
from dataclasses import dataclass

from bench import machine


@dataclass(frozen=True, slots=True)
class Settings:
    """``rounds`` of ``seconds`` for the face-off, ``part_rounds`` of ``part_seconds`` for each point of the curves."""

    quick: bool
    rounds: int
    seconds: float
    idle_sessions: int
    part_rounds: int
    part_seconds: float
    established: tuple[int, ...]  # sessions at once, of which at most 32 are active
    sizes: tuple[str, ...]  # names in targets.ANSWERS
    rates: tuple[int, ...]  # requests a second at which latency is measured
    workers: tuple[int, ...] = (1, 2)
    traced_units: int = 200  # units of work one after the other under strace

    @property
    def sessions(self) -> int:
        """How many sessions at once a balancer and the server behind it are configured for, with some to spare."""
        return max(*self.established, self.idle_sessions + 32) + 40


def wanted(quick: bool = False) -> Settings:
    """A quick run when asked for, also by FASTLB_BENCH_QUICK=1; FASTLB_BENCH_SCALE multiplies the rounds of a full run
    and its idle sessions."""
    limit = machine.raise_descriptor_limit()
    # A session needs two descriptors of a balancer, which keeps some for itself: fastlb 2,048 for pipes, at most.
    most = (limit - min(2048, limit // 8) - 152) // 2
    if quick or os.environ.get("FASTLB_BENCH_QUICK") == "1":
        return Settings(True, 1, 0.2, min(300, most), 1, 0.2, (10, min(300, most)), ("64", "256k"), (2000,),
                        traced_units=20)  # fmt: skip
    scale = float(os.environ.get("FASTLB_BENCH_SCALE", "1"))
    established = tuple(sorted({min(count, most) for count in (10, 32, 100, 300, 1000, 3000, 9000)}))
    return Settings(
        quick=False,
        rounds=max(1, round(5 * scale)),
        seconds=3.0,
        idle_sessions=min(max(100, round(4000 * scale)), most),
        part_rounds=max(1, round(3 * scale)),
        part_seconds=2.0,
        established=established,
        sizes=("64", "256", "1k", "4k", "16k", "64k", "256k", "1m"),
        rates=(5000, 10000),
    )
