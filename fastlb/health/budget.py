"""Regular expressions on what a server says, within a limit of CPU time: some take exponentially long on some texts.

The limit is a signal of the process' CPU clock, SIGVTALRM, which Python's matching lets through: no thread, no fork.
"""

from __future__ import annotations

import re
import signal
import time
from types import FrameType

LIMIT_S = 0.02


class BudgetExceeded(Exception):
    """The expressions of one check have taken their time."""


class Budget:
    """What the expressions of one check may take in all, in seconds of CPU."""

    __slots__ = ("_left_s",)

    def __init__(self) -> None:
        self._left_s = LIMIT_S

    def search(self, pattern: re.Pattern[bytes], text: bytes | bytearray) -> bool:
        """Whether the expression matches somewhere. Raises BudgetExceeded. Only in the main thread."""
        if self._left_s <= 0:
            raise BudgetExceeded
        began = time.thread_time()
        try:
            return _search(pattern, text, self._left_s)
        finally:
            self._left_s -= time.thread_time() - began


def _search(pattern: re.Pattern[bytes], text: bytes | bytearray, limit_s: float) -> bool:
    before = signal.signal(signal.SIGVTALRM, _over)
    try:
        signal.setitimer(signal.ITIMER_VIRTUAL, limit_s)
        try:
            return pattern.search(text) is not None
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    finally:
        signal.signal(signal.SIGVTALRM, before)


def _over(number: int, frame: FrameType | None) -> None:
    raise BudgetExceeded
