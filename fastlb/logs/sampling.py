"""``log … sample 1,3-4:5``: of each five lines the first, the third and the fourth (HAProxy manual, section 4.2)."""

from __future__ import annotations

from fastlb.config.tree import LogSample


class Sampler:
    """Counts the lines of one proxy that reach one target, whatever their level."""

    def __init__(self, sample: LogSample) -> None:
        self._size = sample.size
        self._wanted = sample.ranges
        self._position = 0

    def take(self) -> bool:
        """Is the next line one of the sample?"""
        self._position = self._position % self._size + 1
        return any(low <= self._position <= high for low, high in self._wanted)
