"""Interleaved measurement: in each round every peer does the same work once, in an order that rotates.

A slow minute of the machine then falls on all peers alike, which is what makes the ratios hold.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from bench import load, machine
from bench.peers import Peer, Running
from bench.workloads import Workload


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


def measure_traffic(running: Sequence[Running], workload: Workload, rounds: int, seconds: float) -> list[Result]:
    """All peers, ``rounds`` times, ``seconds`` each."""
    samples: dict[Peer, list[Sample]] = {each.peer: [] for each in running}
    for number in range(rounds):
        shift = number % len(running)
        for each in [*running[shift:], *running[:shift]]:
            samples[each.peer].append(_traffic_sample(each, workload, seconds))
    direct = [median(s.machine_s for s in taken) for peer, taken in samples.items() if peer.kind == "direct"]
    return [_result(workload, peer, taken, direct) for peer, taken in samples.items()]


def _result(workload: Workload, peer: Peer, taken: list[Sample], direct: list[float]) -> Result:
    over = median(sample.machine_s for sample in taken) - direct[0] if direct else 0.0
    return Result(workload, peer, tuple(taken), over)


def _traffic_sample(running: Running, workload: Workload, seconds: float) -> Sample:
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
    samples: dict[Peer, list[Sample]] = {peer: [] for peer in peers if peer.kind != "direct"}
    for _ in range(rounds):
        for peer, taken in samples.items():
            taken.append(_idle_sample(start(peer), sessions))
    return [Result(workload, peer, tuple(taken)) for peer, taken in samples.items()]


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
