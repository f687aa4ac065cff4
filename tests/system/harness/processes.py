"""Reading /proc: who runs, under which title, with which descriptors, memory and rights."""

import os
import signal
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

PROC = Path("/proc")
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def alive(pid: int) -> bool:
    """Running (a zombie has ended)."""
    fields = _stat(pid)
    return bool(fields) and fields[0] != "Z"


@contextmanager
def stopped(pids: Iterable[int]) -> Iterator[None]:
    """The body runs while these do not."""
    pids = list(pids)
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def _stat(pid: int) -> list[str]:
    """Fields of /proc/PID/stat from the state on (field 3 of proc(5) is [0]); empty when the process is gone."""
    try:
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def _pids() -> list[int]:
    return [int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit()]


def children(pid: int) -> list[int]:
    """Children of ``pid`` that still run, oldest first."""
    found = [(int(fields[19]), child) for child in _pids() if (fields := _stat(child)) and int(fields[1]) == pid]
    return [child for _, child in sorted(found) if alive(child)]


def zombies(pid: int) -> list[int]:
    return [child for child in _pids() if (fields := _stat(child)) and int(fields[1]) == pid and fields[0] == "Z"]


def session_members(session: int) -> list[int]:
    """Every process of a session (setsid), dead parents or not."""
    return [pid for pid in _pids() if (fields := _stat(pid)) and int(fields[3]) == session and fields[0] != "Z"]


def title(pid: int) -> str:
    """What ps shows."""
    try:
        return (PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def state(pid: int) -> str:
    return _stat(pid)[0] if _stat(pid) else ""


def cpu_s(pid: int) -> float:
    """User and system time used so far, in seconds."""
    fields = _stat(pid)
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S if fields else 0.0


def run_s(pid: int) -> float:
    """CPU time used so far, in seconds, to the nanosecond: cpu_s() counts in ticks of 10 ms."""
    return int((PROC / str(pid) / "schedstat").read_text().split()[0]) / 1e9


def private_kib(pid: int) -> int:
    """Memory that is this process's alone and was written to."""
    lines = (PROC / str(pid) / "smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_Dirty:"))


def status(pid: int) -> dict[str, str]:
    """/proc/PID/status as words, e.g. {"Uid": "0 0 0 0", "VmRSS": "812 kB"}."""
    lines = (PROC / str(pid) / "status").read_text().splitlines()
    return {key: " ".join(rest.split()) for key, _, rest in (line.partition(":") for line in lines)}


def rss_kib(pid: int) -> int:
    return int(status(pid)["VmRSS"].split()[0])


def descriptors(pid: int) -> Counter[str]:
    """How many descriptors of which kind: socket, pipe, /path, anon_inode:[eventpoll], …"""
    kinds: Counter[str] = Counter()
    for entry in (PROC / str(pid) / "fd").iterdir():
        try:
            target = str(entry.readlink())
        except FileNotFoundError:
            continue
        kinds[target.partition(":[")[0] if target.startswith(("socket", "pipe")) else target] += 1
    return kinds


def kill_if_alive(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
