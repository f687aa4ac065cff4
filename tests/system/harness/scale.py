"""How much of a full scenario is run: FASTLB_SCALE (1 = the figures of the scenario list)."""

import os
from collections.abc import Callable

SCALE = float(os.environ.get("FASTLB_SCALE", "0.02"))


class Scale:
    """Scales counts and remembers, for the summary, what was really run."""

    def __init__(self, note: Callable[[str], None]) -> None:
        self._note = note

    def __call__(self, what: str, full: int, least: int = 1) -> int:
        """``full`` scaled, never below ``least`` (the smallest count with which the test can still fail)."""
        count = min(full, max(least, round(full * SCALE)))
        self._note(f"{count} of {full} {what}")
        return count
