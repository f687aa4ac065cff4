"""Bad configurations and every word that is said about them: bad/NAME.cfg is refused with the lines of bad/NAME.txt.

After a deliberate change ``python tests/config/test_golden.py`` writes the expected lines anew: read the diff.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fastlb.config.errors import Severity
from fastlb.plan.load import load

BAD = Path(__file__).parent / "bad"
CASES = sorted(path.name for path in BAD.glob("*.cfg"))


def render(name: str) -> str:
    """What is said about one file, a line for each diagnostic."""
    result = load([name], environ={})
    assert result.plan is None
    assert any(found.severity is Severity.ERROR for found in result.diagnostics)
    return "".join(f"{found}\n" for found in result.diagnostics)


@pytest.mark.parametrize("name", CASES)
def test_every_error_is_reported_with_its_place(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(BAD)
    assert render(name) == Path(name).with_suffix(".txt").read_text()


if __name__ == "__main__":
    os.chdir(BAD)
    for case in CASES:
        Path(case).with_suffix(".txt").write_text(render(case))
