"""Interleaved measurement: in each round every peer does the same work once, in an order that rotates.

A slow minute of the machine then falls on all peers alike, which is what makes the ratios hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TypeVar

from bench import load, machine
from bench.peers import Peer, Running
from bench.workloads import Workload

Entrant = TypeVar("Entrant")


@dataclass(frozen=True, slots=True)
class Sample:
    """One peer's one round. ``lb_s`` and ``machine_s`` are CPU seconds per unit: the balancer's own, and everybody's.

    For the idle workload ``kib`` is the only figure: proportional memory per session.
    """

    rate: float = 0.0
    lb_s: float = 0.0
    machine_s: float = 0.0
    p99_us: float = 0.0
    errors: int = 0
    kib: float = 0.0


@dataclass(frozen=True, slots=True)
class Result:
    """A peer's rounds of one workload and their medians. ``over_s`` is the machine's CPU per unit above direct's."""

    workload: Workload
    peer: Peer
    samples: tuple[Sample, ...]
    over_s: float = 0.0

    def median(self, field: str) -> float:
        return float(median(getattr(sample, field) for sample in self.samples))

    @property
    def cost(self) -> float:
        """What one unit costs, in the workload's ``cost_unit``."""
        return self.median("kib") if self.workload.load == "idle" else self.median("lb_s") * self.workload.scale

    @property
    def errors(self) -> int:
        return sum(sample.errors for sample in self.samples)


def turns(entrants: Sequence[Entrant], rounds: int) -> Iterator[tuple[int, Entrant]]:
    """Whose turn it is, with its place in ``entrants``: everybody once a round, each round beginning with another."""
    for number in range(rounds):
        for step in range(len(entrants)):
            place = (number + step) % len(entrants)
            yield place, entrants[place]


def measure_traffic(running: Sequence[Running], workload: Workload, rounds: int, seconds: float) -> list[Result]:
    """All of them, ``rounds`` times, ``seconds`` each; the results are in the order of ``running``."""
    samples: list[list[Sample]] = [[] for _ in running]
    for place, each in turns(running, rounds):
        samples[place].append(traffic_sample(each, workload, seconds))
    entries = list(zip((each.peer for each in running), samples, strict=True))
    direct = [median(s.machine_s for s in taken) for peer, taken in entries if peer.kind == "direct"]
    return [_result(workload, peer, taken, direct) for peer, taken in entries]


def _result(workload: Workload, peer: Peer, taken: list[Sample], direct: list[float]) -> Result:
    over = median(sample.machine_s for sample in taken) - direct[0] if direct else 0.0
    return Result(workload, peer, tuple(taken), over)


def traffic_sample(running: Running, workload: Workload, seconds: float) -> Sample:
    """One run of the load through one peer, and what it cost."""
    pids = machine.family(running.pid) if running.pid else []
    lb_before, busy_before = machine.cpu_ns(pids), machine.machine_busy_ns()
    if workload.load == "iperf3":
        outcome = load.iperf3(running.bulk_port, seconds)
    else:
        outcome = load.wrk(running.http_port, workload, seconds)
    lb_ns, busy_ns = machine.cpu_ns(pids) - lb_before, machine.machine_busy_ns() - busy_before
    if not outcome.units:
        raise RuntimeError(f"{running.peer.name}: {workload.name} got no work done, {outcome.errors} errors")
    return Sample(
        rate=outcome.units / outcome.seconds,
        lb_s=lb_ns / 1e9 / outcome.units,
        machine_s=busy_ns / 1e9 / outcome.units,
        p99_us=outcome.p99_us,
        errors=outcome.errors,
    )


def measure_idle(
    peers: Sequence[Peer], start: Callable[[Peer], Running], workload: Workload, rounds: int, sessions: int
) -> list[Result]:
    """Memory per session, each time in a fresh process: what a balancer has once allocated it may never give back."""
    samples: list[list[Sample]] = [[] for _ in peers]
    for place, peer in turns(peers, rounds):
        samples[place].append(_idle_sample(start(peer), sessions))
    return [Result(workload, peer, tuple(taken)) for peer, taken in zip(peers, samples, strict=True)]


def _idle_sample(running: Running, sessions: int) -> Sample:
    clients = load.IdleSessions(running.http_port)
    try:
        clients.open(min(32, sessions))  # what the first sessions cost is not the price of one more
        before = machine.pss_kib(machine.family(running.pid or 0))
        clients.open(sessions)
        after = machine.pss_kib(machine.family(running.pid or 0))
    finally:
        clients.close()
        running.stop()
    return Sample(kib=(after - before) / sessions)
