"""The files of examples/, and the addresses in them."""

import re
import sys
from pathlib import Path

import pytest

from ..harness.logsink import LogSink

EXAMPLES = Path(__file__).parents[3] / "examples"
HERE = "192.0.2.10"
ADDRESSES = [HERE, *(f"192.0.2.{ten}{one}" for ten in (1, 2, 3, 4, 5, 6) for one in (1, 2, 3)), "198.51.100.7"]

SITE = [pytest.mark.netns, pytest.mark.usefixtures("addresses")]  # the network that tests of examples run in


def example(name: str, log: LogSink) -> str:
    """The file as it is, but: it logs to ``log``, checks come ten times as often, and ``*`` is HERE.

    The servers are on the same machine, where a wildcard would take their ports.
    """
    text = (EXAMPLES / name).read_text().replace("defaults\n", "defaults\n    default-server inter 2s\n")
    text = re.sub(r"inter (\d+)s", lambda inter: f"inter {int(inter[1]) * 100}ms", text)
    return text.replace("/dev/log", str(log)).replace("bind *:", f"bind {HERE}:")


def rolecheck(at: str, paths: list[str], command: list[str]) -> list[str]:
    """The words to run the health checks' stand-in that examples/ has."""
    return [sys.executable, "-I", "-S", str(EXAMPLES / "rolecheck.py"), at, *paths, "--", *command]
