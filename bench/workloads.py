"""The workloads: one row each. `per` names the unit of work that CPU time is divided by."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Workload:
    """How one kind of traffic is made and in which unit its cost is told.

    ``load`` is wrk, iperf3 or idle. ``scale`` turns seconds of CPU per unit into the printed ``cost_unit``.
    """

    name: str
    load: str
    per: str
    cost_unit: str
    scale: float
    path: str = "/5"
    connections: int = 0
    close: bool = False


WORKLOADS = (
    Workload("keep", "wrk", "request", "µs/request", 1e6, "/5", 32),
    Workload("close", "wrk", "connection", "µs/connection", 1e6, "/5", 32, close=True),
    Workload("16k", "wrk", "request", "µs/request", 1e6, "/16k", 16),
    Workload("1m", "wrk", "request", "µs/request", 1e6, "/1m", 8),
    Workload("bulk", "iperf3", "GB", "s/GB", 1.0),
    Workload("idle", "idle", "session", "KiB/session", 1.0),
)


def workload_named(name: str) -> Workload:
    return next(workload for workload in WORKLOADS if workload.name == name)
