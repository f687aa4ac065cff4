"""The engine's fine histogram cells, folded into the few buckets that a time series database should hold."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from fastlb import _engine

Bucket = tuple[str, int]
"""(upper bound in seconds as text, how many of the engine's cells lie below it)."""


def _buckets(bounds_us: Sequence[int]) -> tuple[Bucket, ...]:
    """Buckets whose bounds are those of cells: each the smallest cell bound that is not below the one asked for."""
    cells = [_engine.histogram_bound_us(cell) for cell in range(_engine.HISTOGRAM_CELLS - 1)]
    counts = [next(i for i, bound in enumerate(cells, 1) if bound >= wanted) for wanted in bounds_us]
    finite = tuple((repr(cells[count - 1] / 1e6), count) for count in counts)
    return (*finite, ("+Inf", _engine.HISTOGRAM_CELLS))


CONNECT_BUCKETS = _buckets([1 << n for n in range(6, 24, 1) if n not in (7, 9, 11)])
SESSION_BUCKETS = _buckets([1 << n for n in range(8, 36, 2)])
"""Connecting: 64 microseconds to 8 seconds. Sessions: a quarter of a millisecond to 5 hours, by fours."""


def cumulative(cells: Sequence[int], buckets: Sequence[Bucket]) -> list[int]:
    """How many values lie below each bucket's bound; the last is their number."""
    sums = list(accumulate(cells))
    return [sums[count - 1] for _, count in buckets]
