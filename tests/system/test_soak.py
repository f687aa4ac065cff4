"""tools/soak, seconds of it: a healthy fastlb passes, and each kind of broken promise is noticed."""

import json
import re
import signal
import subprocess
import sys

import pytest

from fastlb import _engine

from .harness import netns
from .harness.environment import ROOT, for_fastlb
from .harness.waiting import PATIENCE, eventually

SOAK = [sys.executable, str(ROOT / "tools/soak")]
QUICK = "worker killed,backend killed,reload server removed or added,reload refused"  # to recover from


@pytest.fixture
def soak(tmp_path):
    """``soak("--minutes", "1")`` starts one; what has not ended by itself is interrupted, as by Ctrl-C."""
    started = []

    def start(*words):
        output = tmp_path / f"output-{len(started)}"
        with output.open("wb") as file:
            command = [*SOAK, "--seed", "1", *words]
            started.append(subprocess.Popen(command, stdout=file, stderr=file, env=for_fastlb()))
        started[-1].output = output
        return started[-1]

    yield start
    for one in started:
        if one.poll() is None:
            one.send_signal(signal.SIGINT)
            one.wait(60)


def ended(one, lasts_s=0):
    """Its exit status, and what it printed."""
    one.wait(lasts_s + 60 * PATIENCE)
    return one.returncode, one.output.read_text()


def test_healthy(soak, tmp_path, scale):
    """Load and a few faults: exit 0, and a report that says what was done."""
    seconds = scale("seconds of soak", 300, least=8) * PATIENCE
    options = ["--minutes", str(seconds / 60), "--only", QUICK, "--report", str(tmp_path / "report.json")]
    status, output = ended(soak(*options), seconds)
    assert status == 0, output
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["held"]
    assert report["violations"] == []
    assert report["own_network"] is (netns.unavailable() is None)
    assert sum(report["faults"].values()) >= 2
    assert {"short", "echo", "duplex", "answer", "tail", "abort"} <= report["done"].keys()
    assert {"bytes", "counters", "gauges tell the truth", "recovery", "no zombies"} <= report["checked"].keys()


@pytest.mark.skipif(_engine.BUILD != "release", reason="the tool is the same for every build: once is enough")
@pytest.mark.parametrize(
    ("broken", "invariant"),
    [("bytes", "bytes"), ("ending", "endings"), ("sessions", "gauges tell the truth")],
)
def test_a_broken_invariant_is_noticed(soak, tmp_path, broken, invariant):
    """One wrong byte, one end that nothing explains, one session that nobody holds: exit 1, and it says which."""
    minutes = str(1 * PATIENCE)  # mostly it ends within seconds, with the violation
    options = [
        "--minutes",
        minutes,
        "--only",
        "reload refused",
        "--stop-early",
        "--report",
        str(tmp_path / "report.md"),
    ]
    status, output = ended(soak(*options, "--break", broken))
    assert status == 1, output
    assert re.search(rf"^VIOLATION at [\d.]+ s, {invariant}: ", output, re.MULTILINE)
    assert "INVARIANTS DID NOT HOLD" in (tmp_path / "report.md").read_text()


def test_interrupted_it_reports(soak, tmp_path):
    """Ctrl-C: an orderly end with the report of what there was."""
    one = soak("--report", str(tmp_path / "report.json"), "--only", "log stuck")
    eventually(lambda: "clients have begun" in one.output.read_text(), "the soak runs", 30)
    one.send_signal(signal.SIGINT)
    status, output = ended(one)
    assert status == 0, output
    assert json.loads((tmp_path / "report.json").read_text())["ended"] == "interrupted"


def test_unknown_fault_is_refused(soak):
    status, output = ended(soak("--only", "no such thing"))
    assert status == 2
    assert "no such fault: no such thing" in output
