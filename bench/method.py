"""How, when and on what the results came about: the last section of the page."""

from __future__ import annotations

from bench.store import Document
from bench.tables import markdown, peers_of

METHOD = """\
## Method

Each balancer has one worker and a CPU to itself; the server behind it (nginx) and the load client (wrk, iperf3, or
the open-loop client in `bench/openloop.c`) share another one. fastlb and HAProxy read the same configuration text,
nginx its equivalent. Logging is off. Everything goes over loopback.

Rounds are interleaved: in each, every balancer and the same work without one (`direct`) has its turn, beginning with
another one each time, so that a slow minute of the machine falls on all. Figures are medians of the rounds; for latency
at a fixed rate, all rounds together are one distribution.

CPU of the balancer is the time its processes and threads spent on a CPU by `/proc/PID/task/*/schedstat`, which counts
nanoseconds. CPU of the machine is everything that was not idle by `/proc/stat`, and so counts what a balancer causes in
interrupts and kernel threads. Memory is proportional (PSS), above that of the same process with 32 sessions.

Absolute figures move between machines; ratios of one run hold. Run it on yours: [bench/README.md](../bench/README.md).
"""


def method(document: Document) -> list[str]:
    """The method, then what each part was measured with, and the versions."""
    rows = [
        [name, part["taken"], part["commit"], _rounds(name, part["settings"]), _machine(part["machine"])]
        for name, part in document["parts"].items()
    ]
    names = peers_of([record for part in document["parts"].values() for record in part["results"]])
    return [
        METHOD,
        "Compared: " + ", ".join(name for name in names if name != "direct") + ".\n",
        markdown(("part", "when", "commit of fastlb", "rounds", "machine"), rows),
        "All medians and samples are in [benchmarks/results.json](benchmarks/results.json).\n",
    ]


def _rounds(name: str, settings: Document) -> str:
    if name == "syscalls":
        return f"{settings['traced_units']} units one by one"
    if name == "faceoff":
        return f"{settings['rounds']} of {settings['seconds']:g} s, {settings['idle_sessions']:,} idle sessions"
    seconds = settings["part_seconds"] * (2 if name == "latency" else 1)
    return f"{settings['part_rounds']} of {seconds:g} s"


def _machine(facts: Document) -> str:
    return f"{facts['cpu']}, {facts['cpus']} CPUs used, Linux {facts['kernel']}, Python {facts['python']}"
