"""Part `sessions`: what a request costs while many sessions are established and at most 32 of them say anything."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bench import load
from bench.lab import Lab
from bench.peers import Peer
from bench.rounds import Sample, traffic_sample, turns
from bench.workloads import workload_named

ACTIVE = 32


def measure(lab: Lab) -> list[dict[str, Any]]:
    """One record for each number of sessions and balancer. Each round of each begins with a fresh process, whose
    sessions grow in number: all balancers at once would need more descriptors than the server behind them has."""
    counts, balancers = lab.settings.established, lab.balancers
    samples: dict[tuple[int, int], list[Sample]] = {(n, p): [] for n in counts for p in range(len(balancers))}
    for place, peer in turns(balancers, lab.settings.part_rounds):
        for count, sample in zip(counts, _climb(lab, peer), strict=True):
            samples[count, place].append(sample)
    return [_record(count, balancers[place], taken) for (count, place), taken in samples.items()]


def _climb(lab: Lab, peer: Peer) -> list[Sample]:
    running = lab.start(peer)
    idle, opened, samples = load.IdleSessions(running.http_port), 0, []
    try:
        for count in lab.settings.established:
            active = min(ACTIVE, count)
            idle.open(count - active - opened)
            opened = count - active
            workload = replace(workload_named("keep"), connections=active)
            samples.append(traffic_sample(running, workload, lab.settings.part_seconds))
    finally:
        idle.close()
        running.stop()
    return samples


def _record(count: int, peer: Peer, samples: list[Sample]) -> dict[str, Any]:
    return {
        "sessions": count,
        "active": min(ACTIVE, count),
        "peer": peer.name,
        "kind": peer.kind,
        "cost_us": [sample.lb_s * 1e6 for sample in samples],
        "rate": [sample.rate for sample in samples],
        "p99_us": [sample.p99_us for sample in samples],
        "errors": sum(sample.errors for sample in samples),
    }
