"""How long to wait before a worker is forked again: 0.1 s, doubling to 5 s, ±25 %, forgotten after 30 s of health."""

from __future__ import annotations

import random
from dataclasses import dataclass

FIRST_S = 0.1
LAST_S = 5.0
JITTER = 0.25
HEALTHY_S = 30.0


@dataclass(slots=True)
class Backoff:
    """The respawn history of one worker slot."""

    failures: int = 0

    def next_delay_s(self, lived_s: float, spread: float | None = None) -> float:
        """The delay before the next fork, for a worker that lived ``lived_s``. ``spread`` (-1 … 1) replaces chance."""
        if lived_s >= HEALTHY_S:
            self.failures = 0
        delay = min(FIRST_S * (1 << self.failures), LAST_S)
        self.failures = min(self.failures + 1, 16)
        return delay * (1 + JITTER * (random.uniform(-1, 1) if spread is None else spread))
