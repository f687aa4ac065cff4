"""How fastlb is called, and the environment of everything that is not fastlb."""

import os
import shlex
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
FASTLB = shlex.split(os.environ.get("FASTLB_COMMAND", "")) or [sys.executable, "-m", "fastlb"]


def without_preload() -> dict[str, str]:
    """A sanitizer run preloads its library into fastlb; peers are measured as they are."""
    return {key: value for key, value in os.environ.items() if key != "LD_PRELOAD"}


def for_fastlb(**extra: str) -> dict[str, str]:
    """The environment of a fastlb process, run from the source tree or installed."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    return {**os.environ, "PYTHONPATH": path, "PYTHONFAULTHANDLER": "1", **extra}
