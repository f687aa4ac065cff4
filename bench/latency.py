"""Part `latency`: the distribution at fixed rates, open-loop, and what a request costs when it is not hurried."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench import machine, openloop
from bench.compiled import compiled
from bench.lab import Lab
from bench.openloop import OpenLoop, percentile_us
from bench.peers import Peer, Running
from bench.rounds import turns

CONNECTIONS = 64
PERCENTS = (50.0, 90.0, 99.0, 99.9)
# For the curve: evenly spaced on an axis of nines, from 0 to 99.99 %.
CURVE = tuple(round(100 * (1 - 10 ** (-step / 12)), 4) for step in range(49))

Run = tuple[OpenLoop, float]


def measure(lab: Lab) -> list[dict[str, Any]]:
    """One record for each rate and peer."""
    program = compiled("openloop", lab.folder)
    seconds = 2 * lab.settings.part_seconds
    running = lab.single_workers()
    records = []
    for rate in lab.settings.rates:
        runs: list[list[Run]] = [[] for _ in running]
        for place, each in turns(running, lab.settings.part_rounds):
            runs[place].append(_run(each, program, rate, seconds))
        records += [_record(rate, each.peer, taken) for each, taken in zip(running, runs, strict=True)]
    return records


def _run(running: Running, program: Path, rate: int, seconds: float) -> Run:
    pids = machine.family(running.pid) if running.pid else []
    before = machine.cpu_ns(pids)
    outcome = openloop.run(program, running.http_port, rate, seconds, CONNECTIONS)
    return outcome, (machine.cpu_ns(pids) - before) / 1000 / max(1, outcome.answered)


def _record(rate: int, peer: Peer, runs: list[Run]) -> dict[str, Any]:
    outcomes = [outcome for outcome, _ in runs]
    latency = openloop.merged(outcome.latency for outcome in outcomes)
    lag = openloop.merged(outcome.lag for outcome in outcomes)
    return {
        "rate": rate,
        "peer": peer.name,
        "kind": peer.kind,
        "realtime": all(outcome.realtime for outcome in outcomes),
        "kept_schedule": all(outcome.kept_schedule for outcome in outcomes),
        **{name: sum(getattr(outcome, name) for outcome in outcomes) for name in ("scheduled", "answered", "waited")},
        "errors": sum(outcome.failures for outcome in outcomes),
        "cost_us": [cost for _, cost in runs],
        "latency_us": {f"p{percent:g}": percentile_us(latency, percent) for percent in PERCENTS},
        "rounds_us": {f"p{p:g}": [percentile_us(outcome.latency, p) for outcome in outcomes] for p in PERCENTS},
        "lag_us": {f"p{percent:g}": percentile_us(lag, percent) for percent in PERCENTS},
        "curve": [[percent, percentile_us(latency, percent)] for percent in CURVE],
    }
