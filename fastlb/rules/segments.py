"""Ranges that may overlap to segments that do not: what the engine finds by halving."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from fastlb.rules.model import NO_INDEX


class Range(NamedTuple):
    """``low`` to ``high``, both included. Where ranges overlap, the one of the lowest ``order`` counts."""

    low: int
    high: int
    order: int
    value: int


def segments(ranges: Iterable[Range]) -> Iterator[tuple[int, int]]:
    """(start, value) in ascending order; each reaches to the next start. Gaps have the value NO_INDEX."""
    waiting = sorted(ranges)
    open_ones: list[tuple[int, int, int]] = []  # (order, high, value): a heap
    at, number, last = 0, 0, NO_INDEX
    while number < len(waiting) or open_ones:
        if not open_ones:
            at = waiting[number].low
        while number < len(waiting) and waiting[number].low <= at:
            one = waiting[number]
            heapq.heappush(open_ones, (one.order, one.high, one.value))
            number += 1
        value = open_ones[0][2]
        if value != last:
            yield at, value
            last = value
        ends = open_ones[0][1] + 1
        at = min(ends, waiting[number].low) if number < len(waiting) else ends
        while open_ones and open_ones[0][1] < at:
            heapq.heappop(open_ones)
        if not open_ones and (number == len(waiting) or waiting[number].low > at):
            yield at, NO_INDEX
            last = NO_INDEX
