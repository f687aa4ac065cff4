"""Growth: figures taken at quiet moments, and the straight line through them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

LEAST = 12  # samples; fewer give no verdict
WARM_UP = 0.25  # of the samples: pools and caches fill at first


@dataclass(frozen=True)
class Growth:
    """One figure over the run; ``fitted`` is what the line through the samples gains from its first to its last."""

    name: str
    samples: int
    first: float
    last: float
    fitted: float
    bound: float

    def judged(self) -> bool:
        return self.samples >= LEAST

    def bounded(self) -> bool:
        return not self.judged() or self.fitted <= self.bound


class Trend:
    """Samples by name; ``bound`` is how much of a figure's growth over the whole run is not yet growth."""

    def __init__(self) -> None:
        self._samples: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
        self._bounds: dict[str, float] = {}

    def add(self, name: str, at_s: float, value: float, bound: float) -> None:
        self._samples[name].append((at_s, value))
        self._bounds[name] = bound

    def growths(self) -> list[Growth]:
        return [self._growth(name, points) for name, points in sorted(self._samples.items())]

    def _growth(self, name: str, points: list[tuple[float, float]]) -> Growth:
        warm = points[int(len(points) * WARM_UP) :]
        fitted = slope(warm) * (warm[-1][0] - warm[0][0])
        return Growth(name, len(points), points[0][1], points[-1][1], round(fitted, 2), self._bounds[name])


def slope(points: list[tuple[float, float]]) -> float:
    """Of the least-squares line through the points; 0 for fewer than two."""
    count = len(points)
    mean_x, mean_y = sum(x for x, _ in points) / count, sum(y for _, y in points) / count
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0
