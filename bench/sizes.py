"""Part `sizes`: throughput, and what a request costs, against the size of the answer."""

from __future__ import annotations

from typing import Any

from bench.lab import Lab
from bench.rounds import Result, measure_traffic
from bench.targets import ANSWERS
from bench.workloads import Workload

CONNECTIONS = 16


def measure(lab: Lab) -> list[dict[str, Any]]:
    """One record for each size and peer, ``direct`` among them."""
    settings = lab.settings
    records = []
    for name in settings.sizes:
        workload = Workload(name, "wrk", "request", "µs/request", 1e6, f"/{name}", CONNECTIONS)
        results = measure_traffic(lab.single_workers(), workload, settings.part_rounds, settings.part_seconds)
        records += [_record(name, result) for result in results]
    return records


def _record(name: str, result: Result) -> dict[str, Any]:
    return {
        "size": name,
        "bytes": ANSWERS[name],
        "peer": result.peer.name,
        "kind": result.peer.kind,
        "cost_us": [sample.lb_s * 1e6 for sample in result.samples],
        "rate": [sample.rate for sample in result.samples],
        "errors": result.errors,
    }
