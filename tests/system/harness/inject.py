"""System calls that fail although nothing is wrong, or do nothing: strace(1) answers in the kernel's place."""

import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from .waiting import eventually


def unavailable() -> str | None:
    return None if shutil.which("strace") else "strace is not installed"


class Injection:
    """What strace has seen so far."""

    def __init__(self, trace: Path) -> None:
        self._trace = trace

    @property
    def count(self) -> int:
        """How many calls have been answered so."""
        return self._trace.read_text(errors="replace").count("(INJECTED)")


@contextmanager
def failing(pids: Sequence[int], call: str, error: str, when: str, directory: Path) -> Iterator[Injection]:
    """In these processes ``call`` fails with ``error``: ``when`` is "1+" for always, "2+5" for each fifth from the
    second on (counted in each process by itself)."""
    with _answering(pids, call, f"error={error}", when, directory) as injection:
        yield injection


@contextmanager
def doing_nothing(pids: Sequence[int], call: str, directory: Path) -> Iterator[Injection]:
    """In these processes ``call`` succeeds, and what it should have written keeps its value."""
    with _answering(pids, call, "retval=0", "1+", directory) as injection:
        yield injection


@contextmanager
def _answering(pids: Sequence[int], call: str, answer: str, when: str, directory: Path) -> Iterator[Injection]:
    trace, said = directory / "strace.trace", directory / "strace.said"
    # Instead of nothing (number -1, which the workers' seccomp filter punishes) a call that changes nothing is made.
    command = ["strace", "-o", str(trace), "-e", f"trace={call}", "-e"]
    command.append(f"inject={call}:{answer}:syscall=getpid:when={when}")
    for pid in pids:
        command += ["-p", str(pid)]
    with said.open("wb") as stderr:
        strace = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=stderr)
    try:
        eventually(
            lambda: strace.poll() is not None or said.read_text().count("attached") >= len(pids), "strace traces"
        )
        assert strace.poll() is None, said.read_text()
        yield Injection(trace)
    finally:
        strace.send_signal(signal.SIGINT)  # it lets them go on
        strace.wait(20)
