"""Configurations and every word that is said about them: bad/NAME.cfg is refused with the lines of bad/NAME.txt, and
good/NAME.cfg accepted with those of good/NAME.txt.

After a deliberate change ``python tests/config/test_golden.py`` writes the expected lines anew: read the diff.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fastlb.config.errors import Severity
from fastlb.plan.load import load

HERE = Path(__file__).parent
CASES = sorted(str(path.relative_to(HERE)) for path in HERE.glob("[bg]*d/*.cfg"))


def render(name: str) -> str:
    """What is said about one file of the current directory, a line for each diagnostic."""
    result = load([name], environ={})
    refused = Path.cwd().name == "bad"
    assert (result.plan is None) == refused
    assert any(found.severity is Severity.ERROR for found in result.diagnostics) == refused
    return "".join(f"{found}\n" for found in result.diagnostics)


@pytest.mark.parametrize("name", CASES)
def test_everything_is_said_with_its_place(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = HERE / name
    monkeypatch.chdir(path.parent)
    assert render(path.name) == path.with_suffix(".txt").read_text()


if __name__ == "__main__":
    for case in (HERE / name for name in CASES):
        os.chdir(case.parent)
        case.with_suffix(".txt").write_text(render(case.name))
