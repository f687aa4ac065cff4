"""The same operational message over and over is written once a second, with a count of those left out."""

from __future__ import annotations

from dataclasses import dataclass

INTERVAL_S = 1.0


@dataclass(slots=True)
class _Recent:
    since: float
    left_out: int = 0


class Repeats:
    """Keys are remembered for INTERVAL_S from their last writing. The clock is the caller's."""

    def __init__(self) -> None:
        self._recent: dict[tuple[int, str, int | None], _Recent] = {}

    def admit(self, key: tuple[int, str, int | None], now: float) -> bool:
        """May this be written now? If not it is counted."""
        recent = self._recent.get(key)
        if recent is None:
            self._recent[key] = _Recent(now)
            return True
        recent.left_out += 1
        return False

    def expire(self, now: float) -> list[tuple[tuple[int, str, int | None], int]]:
        """Forget what is old, in order of time; returns the messages that were left out, and how often."""
        counted = []
        for key, recent in list(self._recent.items()):
            if now - recent.since < INTERVAL_S:
                break
            del self._recent[key]
            if recent.left_out:
                counted.append((key, recent.left_out))
                self._recent[key] = _Recent(now)
        return counted
