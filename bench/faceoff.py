"""Part `faceoff`: every workload through every peer, in interleaved rounds."""

from __future__ import annotations

from typing import Any

from bench.lab import Lab
from bench.report import records
from bench.rounds import Result, measure_idle, measure_traffic
from bench.workloads import WORKLOADS, Workload


def measure_workload(lab: Lab, workload: Workload) -> list[Result]:
    """All peers, interleaved."""
    settings = lab.settings
    if workload.load == "idle":
        return measure_idle(lab.balancers, lab.start, workload, settings.rounds, settings.idle_sessions)
    seconds = max(1.0, settings.seconds) if workload.load == "iperf3" else settings.seconds
    return measure_traffic(lab.single_workers(), workload, settings.rounds, seconds)


def measure(lab: Lab) -> list[dict[str, Any]]:
    """One record for each workload and peer."""
    return records([result for workload in WORKLOADS for result in measure_workload(lab, workload)])
