"""Waiting for something to become true, with a deadline instead of a guess."""

import os
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
PATIENCE = float(os.environ.get("FASTLB_PATIENCE", "1"))  # sanitizer builds and busy machines: give 3, say


def eventually(condition: Callable[[], T], what: str, within_s: float = 10.0, every_s: float = 0.01) -> T:
    """The first true value of ``condition()``; an AssertionError that says ``what`` was awaited once time is up."""
    deadline = time.monotonic() + within_s * PATIENCE
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within_s * PATIENCE:g} s: {what} (last seen: {value!r})")
        time.sleep(every_s)


def nothing(remains: Callable[[], list[str]], what: str, within_s: float = 20.0) -> None:
    """Wait until ``remains()`` is empty; the AssertionError names what remains."""
    deadline = time.monotonic() + within_s * PATIENCE
    while left := remains():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within_s * PATIENCE:g} s: {what}; remains: {'; '.join(left)}")
        time.sleep(0.05)


def stays(condition: Callable[[], object], what: str, for_s: float) -> None:
    """Assert that ``condition()`` is true now and at every look for ``for_s`` seconds."""
    end = time.monotonic() + for_s
    while time.monotonic() < end:
        value = condition()
        assert value, f"did not stay so: {what}"
        time.sleep(0.02)
