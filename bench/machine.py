"""What the machine says about processes: CPU time, memory, family. Every figure comes from /proc.

Sources: proc(5); Documentation/scheduler/sched-stats.rst for schedstat (first field: nanoseconds on a CPU).
"""

from __future__ import annotations

import os
import platform
import resource
from collections.abc import Iterable
from pathlib import Path

TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
CPUS = tuple(sorted(os.sched_getaffinity(0)))
BALANCER_CPU, LOAD_CPU = (CPUS * 2)[:2]


def family(pid: int) -> list[int]:
    """The process and all its living descendants."""
    parents = {int(entry.name): _parent(entry) for entry in Path("/proc").iterdir() if entry.name.isdigit()}
    found = [pid]
    for member in found:
        found.extend(child for child, parent in parents.items() if parent == member)
    return found


def _parent(entry: Path) -> int:
    try:
        # The command name may hold blanks and parentheses: what follows the last one is regular.
        return int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, IndexError):
        return -1


def cpu_ns(pids: Iterable[int]) -> int:
    """Nanoseconds that these processes, all threads together, have spent on a CPU."""
    return sum(
        int(path.read_text().split()[0]) for pid in pids for path in Path(f"/proc/{pid}/task").glob("*/schedstat")
    )


def machine_busy_ns() -> int:
    """Nanoseconds all CPUs together were not idle, kernel threads and interrupts included (resolution: one tick)."""
    user, nice, system, _idle, _iowait, irq, softirq = map(int, Path("/proc/stat").read_text().split()[1:8])
    return (user + nice + system + irq + softirq) * TICK_NS


def pss_kib(pids: Iterable[int]) -> int:
    """Proportional memory of these processes: shared pages are divided among those who share them."""
    return sum(_pss(pid) for pid in pids)


def _pss(pid: int) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    return 0


def raise_descriptor_limit() -> int:
    """Let this process and its children open as many files as the hard limit says; returns that number."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def describe() -> dict[str, object]:
    """The facts without which a figure means nothing."""
    model = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "kernel": platform.release(),
        "architecture": platform.machine(),
        "cpu": model[0].partition(":")[2].strip() if model else "unknown",
        "cpus": len(CPUS),
        "python": platform.python_version(),
    }
