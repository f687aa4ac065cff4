"""What every test of the project shares: the closing report of scaled runs, and the markers."""

import os

import pytest


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "netns: runs in a network namespace of its own (root)")
    config.addinivalue_line("markers", "master: about the master, which is plain Python: not repeated with sanitizers")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how much of each scaled scenario really ran, so that a short run is not taken for a full one."""
    reports = [report for kind in ("passed", "failed") for report in terminalreporter.getreports(kind)]
    notes = [value for report in reports for key, value in report.user_properties if key == "scale"]
    if notes:
        scale = os.environ.get("FASTLB_SCALE", "0.02")
        terminalreporter.section(f"scaled runs (FASTLB_SCALE={scale}, 1 is the full scenario)")
        for note in sorted(set(notes)):
            terminalreporter.write_line(note)
