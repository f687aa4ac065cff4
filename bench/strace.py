"""How many system calls a balancer makes meanwhile: `strace -c -f`, attached to all of its processes."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.daemons import START_SECONDS, find_program


@contextmanager
def counting(pids: Sequence[int], folder: Path) -> Iterator[dict[str, int]]:
    """Counts from here to the end of the block, into the mapping that it gives: call → how often."""
    program = find_program("strace")
    if program is None:
        raise RuntimeError("strace is not installed")
    summary, said = folder / "strace.summary", folder / "strace.log"
    summary.unlink(missing_ok=True)
    attach = [word for pid in pids for word in ("-p", str(pid))]
    with said.open("wb") as output:
        tracer = subprocess.Popen([program, "-c", "-f", "-o", str(summary), *attach], stderr=output)
    counts: dict[str, int] = {}
    try:
        _wait_attached(tracer, pids, said)
        yield counts
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.wait(30)
    counts.update(parse(summary.read_text()))


def _wait_attached(tracer: subprocess.Popen[bytes], pids: Sequence[int], said: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not all(_is_traced(pid) for pid in pids):
        if tracer.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"strace cannot attach: {said.read_text(errors='replace').strip()}")
        time.sleep(0.01)


def _is_traced(pid: int) -> bool:
    """Whether every thread has a tracer."""
    tasks = Path(f"/proc/{pid}/task").glob("*/status")
    return all("\nTracerPid:\t0\n" not in status.read_text() for status in tasks)


def parse(summary: str) -> dict[str, int]:
    """The calls in a summary: `% time, seconds, usecs/call, calls, [errors], syscall`, between two rules."""
    counts: dict[str, int] = {}
    for line in summary.splitlines():
        words = line.split()
        if len(words) >= 5 and words[3].isdigit() and words[-1] != "total":
            counts[words[-1]] = counts.get(words[-1], 0) + int(words[3])
    return counts
