"""Part `workers`: what a unit of work costs with one worker and with several, which would show what they contend for.

The same CPUs are open to one worker and to several. Where the machine has one more CPU than workers, the load has that
one for itself; where not, the last worker shares its CPU with the load, and the page says so.
"""

from __future__ import annotations

from typing import Any

from bench import machine
from bench.lab import Lab
from bench.peers import Running
from bench.rounds import Result, measure_traffic
from bench.workloads import workload_named

WORKLOADS = ("keep", "close")


def open_cpus(workers: int) -> tuple[int, ...]:
    """The CPUs of the balancer: those that are not the load's first, then that one too."""
    others = [cpu for cpu in machine.CPUS if cpu != machine.LOAD_CPU]
    return tuple([*others, machine.LOAD_CPU][:workers])


def measure(lab: Lab) -> list[dict[str, Any]]:
    """One record for each workload, number of workers and balancer."""
    counts = lab.settings.workers
    cpus = open_cpus(max(counts))
    running: list[Running] = []
    try:
        for peer in lab.balancers:
            for count in counts:
                running.append(lab.start(peer, count, cpus))
        return [
            _record(each.workers, result, machine.LOAD_CPU in cpus)
            for name in WORKLOADS
            for each, result in zip(running, _measure(lab, running, name), strict=True)
        ]
    finally:
        for each in running:
            each.stop()


def _measure(lab: Lab, running: list[Running], name: str) -> list[Result]:
    return measure_traffic(running, workload_named(name), lab.settings.part_rounds, lab.settings.part_seconds)


def _record(workers: int, result: Result, shares_cpu: bool) -> dict[str, Any]:
    return {
        "workload": result.workload.name,
        "per": result.workload.per,
        "workers": workers,
        "peer": result.peer.name,
        "kind": result.peer.kind,
        "shares_cpu_with_load": shares_cpu,
        "cost_us": [sample.lb_s * 1e6 for sample in result.samples],
        "rate": [sample.rate for sample in result.samples],
        "errors": result.errors,
    }
