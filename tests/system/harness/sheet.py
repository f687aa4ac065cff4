"""The balance sheet at the end of every fastlb test: what was taken was given back."""

import re
from collections import Counter

from . import processes
from .fastlb import Fastlb
from .samples import Samples
from .waiting import nothing

GAUGES = (
    "fastlb_frontend_sessions", "fastlb_backend_sessions", "fastlb_backend_queued_sessions", "fastlb_server_sessions",
    "fastlb_server_connecting", "fastlb_server_queued_sessions", "fastlb_worker_sessions", "fastlb_worker_connections",
    "fastlb_worker_buffers",
)  # fmt: skip
TROUBLE = ("Traceback", "Sanitizer", "runtime error:", "Exception ignored", "Assertion", "Segmentation")


class Sheet:
    """Taken when fastlb is ready, settled when the test has ended."""

    def __init__(self, lb: Fastlb) -> None:
        self._lb = lb
        self.take()

    def take(self) -> None:
        """Remember the descriptors of the master and of each worker as what is normal now."""
        self._normal = self._descriptors()

    def retake(self) -> None:
        """For tests that change what is normal (another bind, say): once all sessions have ended, take it anew."""
        nothing(lambda: unbalanced(self._lb.samples()), "all sessions closed, all gauges 0")
        self.take()

    def settle(self) -> None:
        """All sessions closed, pipes returned, descriptors as at the start. The balancer must still run."""
        nothing(lambda: unbalanced(self._lb.samples()), "all sessions closed, all gauges 0")
        nothing(self.changed, "descriptors as after the start")

    def changed(self) -> list[str]:
        """Descriptors gained or lost since ``take``."""
        before, now = self._normal, self._descriptors()
        if now["master socket"] - before["master socket"] <= self._log_sockets():
            now["master socket"] = before["master socket"]
        kinds = sorted(kind for kind in before.keys() | now.keys() if before[kind] != now[kind])
        return [f"{kind}: {before[kind]} -> {now[kind]}" for kind in kinds]

    def _log_sockets(self) -> int:
        """Sockets to syslog, which are opened with the first line: one for each target at most."""
        return len(set(re.findall(r"^\s*log (\S+[:/]\S+) ", self._lb.config_path.read_text(), re.MULTILINE)))

    def _descriptors(self) -> Counter[str]:
        """How many of "who kind"; a worker's pool of idle pipes (two ends each) is not counted."""
        idle = [int(count) for _, count in self._lb.samples().select("fastlb_worker_pipes_idle")]
        found = _named("master", self._lb.pid)
        for number, pid in enumerate(self._lb.workers()):
            found += _named(f"worker {number}", pid)
            found[f"worker {number} pipe"] -= 2 * idle[number]
        return found


def _named(who: str, pid: int) -> Counter[str]:
    return Counter({f"{who} {kind}": count for kind, count in processes.descriptors(pid).items()})


def unbalanced(now: Samples) -> list[str]:
    """What is still open, or was opened and never closed, named."""
    gauges = [f"{name} is {total(now, name)}" for name in GAUGES if total(now, name)]
    pipes = total(now, "fastlb_worker_pipes") - total(now, "fastlb_worker_pipes_idle")
    return gauges + [f"{pipes} pipes out"] * bool(pipes) + never_closed(now)


def never_closed(now: Samples) -> list[str]:
    """Sessions opened and closed must be as many, unless a worker died and took some along.

    A server's ends also count sessions that never reached it, its openings only those that did: not compared here.
    """
    if total(now, "fastlb_worker_restarts_total"):
        return []
    kinds = ("frontend", "backend")
    opened = {kind: total(now, f"fastlb_{kind}_sessions_total") for kind in kinds}
    closed = {kind: total(now, f"fastlb_{kind}_session_ends_total") for kind in kinds}
    return [f"{opened[k]} {k} sessions opened, {closed[k]} closed" for k in kinds if opened[k] != closed[k]]


def total(now: Samples, name: str) -> int:
    """A family is absent when the configuration has nothing of its kind."""
    return now.sum(name) if now.has(name) else 0


def trouble(lb: Fastlb) -> list[str]:
    """Lines of its output that no healthy process writes."""
    return [line for line in lb.output().splitlines() if any(word in line for word in TROUBLE)]
