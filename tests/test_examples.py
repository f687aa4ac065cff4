"""What is shown to people works: the examples, README's commands and configuration, the links between documents."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from fastlb import privileges

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"
DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "bench/README.md", *sorted((ROOT / "docs").glob("*.md"))]


def check(path: Path) -> tuple[int, list[str]]:
    """Exit status of ``fastlb -c PATH --check`` and the lines it says, without the path."""
    command = [sys.executable, "-m", "fastlb", "-c", str(path), "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
    return done.returncode, [line.replace(f"{path}:", "") for line in done.stderr.splitlines()]


ALSO_HAPROXYS = "This file loads in HAProxy, too."
OTHERS = {"tutorial.conf", "keepalived.conf"}
PRODUCTION = sorted({path.name for path in EXAMPLES.glob("*.conf")} - OTHERS)


@pytest.mark.parametrize("name", PRODUCTION)
def test_production_example_is_valid(name: str) -> None:
    assert check(EXAMPLES / name) == (0, [])


@pytest.mark.skipif(shutil.which("haproxy") is None, reason="haproxy is not installed")
@pytest.mark.parametrize("name", [name for name in PRODUCTION if ALSO_HAPROXYS in (EXAMPLES / name).read_text()])
def test_example_is_valid_for_haproxy_too(name: str) -> None:
    """As it says itself; HAProxy says nothing but that."""
    done = subprocess.run(["haproxy", "-c", "-f", str(EXAMPLES / name)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "Configuration file is valid\n")


def test_tutorial_loads_with_warnings_that_name_their_lines() -> None:
    text = (EXAMPLES / "tutorial.conf").read_text()
    assert "\nbackend ping \n    mode tcp\n" in text, "the trailing blank belongs to the tutorial"
    status, said = check(EXAMPLES / "tutorial.conf")
    assert status == 0
    assert [line.partition(":")[0] for line in said] == ["1", "6", "9", "10"]
    assert all(" warning: " in line for line in said)
    assert "timeout client" in said[0]
    assert "timeout connect" in said[1]
    assert "timeout server" in said[1]
    assert all("'/hey' after the port is ignored" in line and "option httpchk GET /hey" in line for line in said[2:])


def test_readme_configuration_is_valid(tmp_path: Path) -> None:
    block = re.search(r"`lb\.conf`:\n\n((?:    .*\n|\n)+)", (ROOT / "README.md").read_text())
    assert block
    path = tmp_path / "lb.conf"
    path.write_text(textwrap.dedent(block[1]))
    assert check(path) == (0, [])


def test_readme_has_two_commands() -> None:
    """One to try it, one to test it, in the order in which .ci/run takes them out of there."""
    commands = re.findall(r"^python3 -m venv .*$", (ROOT / "README.md").read_text(), re.M)
    assert len(commands) == 2
    assert commands[0].endswith("fastlb demo")
    assert "-m pytest" in commands[1]


def test_unit_grants_the_capabilities_that_the_master_keeps() -> None:
    granted = re.search(r"^CapabilityBoundingSet=(.*)$", (EXAMPLES / "fastlb.service").read_text(), re.M)
    assert granted
    known = {name.removeprefix("_"): value for name, value in vars(privileges).items() if name.startswith("_CAP_")}
    kept = {name for name, number in known.items() if privileges._MASTER_CAPABILITIES >> number & 1}
    assert set(granted[1].split()) == kept


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)", document.read_text()):
        assert (document.parent / target).exists(), f"{document.name} links to {target}"
