"""When checks run: spread at the start, jittered afterwards, so that they never come all at once. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence

from fastlb.health.state import interval_ms
from fastlb.plan.model import Check


def start_offsets_s(checks: Sequence[Check], limit_ms: int = 0) -> list[float]:
    """When each first check starts, from now: evenly over the smallest ``inter`` of them all, as HAProxy does, or over
    ``limit_ms`` (``max-spread-checks``) if that is less and not 0."""
    if not checks:
        return []
    smallest_ms = min(check.inter_ms for check in checks)
    smallest_s = min(smallest_ms, limit_ms or smallest_ms) / 1000
    return [smallest_s * position / len(checks) for position in range(len(checks))]


def pause_s(check: Check, health: int, spread_percent: int, draw: float) -> float:
    """From the end of one check to the start of the next. ``draw`` is a random number in [0, 1): ``spread-checks``
    moves the start by up to that share of the interval, either way."""
    pause = interval_ms(health, check.rise, check.fall, check.inter_ms, check.fastinter_ms, check.downinter_ms) / 1000
    return pause * (1 + spread_percent / 100 * (2 * draw - 1))
