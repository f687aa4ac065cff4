"""``slowstart``: a server that comes up gains weight and ``maxconn`` step by step (HAProxy manual, section 5.2).

A watch that warms up knows its step, 0 to STEPS; STEPS is a server like any other.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence

from fastlb.health.watch import STEPS, Watch

MIN_STEP_S = 0.25
MAX_TURNS = 1 << 17
"""Longest schedule with fine weights; beyond, it would take the master too long at each step."""


def step_of(elapsed_s: float, duration_s: float) -> int:
    """The step of a server that came up that long ago."""
    return STEPS if elapsed_s >= duration_s else int(STEPS * elapsed_s / duration_s)


def next_step_s(elapsed_s: float, duration_s: float) -> float:
    """How long until the next step is due; never more often than MIN_STEP_S, and the last one in time."""
    wait_s = duration_s * (step_of(elapsed_s, duration_s) + 1) / STEPS - elapsed_s
    return min(max(wait_s, MIN_STEP_S), max(duration_s - elapsed_s, 0.001))


def warm_limit(maxconn: int, step: int) -> int:
    """``maxconn`` at that step: at least 1, where there is a limit at all."""
    return max(1, maxconn * step // STEPS) if maxconn else 0


def warm_weights(weights: Sequence[int], steps: Sequence[int]) -> list[int]:
    """The weights of a backend's servers, all multiplied so that those that warm up have whole numbers.

    A server begins with the first step's share, not with nothing. With too many servers for fine weights the shares
    are rounded up.
    """
    if all(step == STEPS for step in steps):
        return list(weights)
    divisor = math.gcd(*weights) or 1
    reduced = [weight // divisor for weight in weights]
    scale = STEPS if sum(reduced) * STEPS <= MAX_TURNS else 1
    return [
        -(-weight * scale * min(step + 1, STEPS) // STEPS) for weight, step in zip(reduced, steps, strict=True)
    ]  # fmt: skip


class Warmups:
    """The servers that warm up now. ``stepped`` is told of each that made a step. Needs a running loop."""

    def __init__(self, stepped: Callable[[Watch], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._stepped = stepped
        self._timers: dict[Watch, asyncio.TimerHandle] = {}

    def begin(self, watch: Watch) -> None:
        """The server has come up just now: it starts at step 0, if it has a ``slowstart``."""
        self.end(watch)
        if watch.server.slowstart_ms:
            watch.warm_since = self._loop.time()
            watch.warm = 0
            self._wait(watch)

    def end(self, watch: Watch) -> None:
        """The server is down, or gone: there is nothing to warm up."""
        watch.warm = STEPS
        timer = self._timers.pop(watch, None)
        if timer is not None:
            timer.cancel()

    def renew(self, watch: Watch) -> None:
        """Another plan may give the server another ``slowstart``, or none."""
        if watch.warm < STEPS:
            self._timers.pop(watch).cancel()
            self._step(watch)

    def close(self) -> None:
        for watch in list(self._timers):
            self.end(watch)

    def _wait(self, watch: Watch) -> None:
        elapsed_s = self._loop.time() - watch.warm_since
        wait_s = next_step_s(elapsed_s, watch.server.slowstart_ms / 1000)
        self._timers[watch] = self._loop.call_later(wait_s, self._due, watch)

    def _due(self, watch: Watch) -> None:
        del self._timers[watch]
        self._step(watch)
        self._stepped(watch)

    def _step(self, watch: Watch) -> None:
        watch.warm = step_of(self._loop.time() - watch.warm_since, watch.server.slowstart_ms / 1000)
        if watch.warm < STEPS:
            self._wait(watch)
