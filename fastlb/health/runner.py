"""Runs thousands of checks on the master's loop: one epoll set inside the loop's own, and one heap of times.

The loop sees a single descriptor (the epoll set) and a single timer, so a check costs about ten system calls and no
task, no handle and no selector entry. Each job has exactly one valid entry in the heap: the start of its next check,
or the deadline of the one in flight. No thread, no name resolution.
"""

from __future__ import annotations

import asyncio
import heapq
import select
import time
from collections.abc import Callable

from fastlb.health.http import About
from fastlb.health.kinds import make_probe
from fastlb.health.tcp import TcpProbe
from fastlb.health.verdict import Verdict, errno_text, failure, local_failure
from fastlb.plan.model import Check

_EVENTS_A_TURN = 128
_TURN_SECONDS = 0.005
_LAG_SECONDS = 0.02
_LAG_SHARE = 0.25
"""A deadline noticed later than both of these is our own delay, and says nothing about the server (kernel: a machine
that was suspended, a CPU quota, a stopped process)."""

Conclude = Callable[[Verdict, float], float]


class Job:
    """One checked server. ``conclude(verdict, duration_s)`` is told each verdict; it returns the pause in seconds.
    ``about`` tells what a check may need to know of the server."""

    __slots__ = ("about", "check", "conclude", "deadline", "due", "entry", "fd", "probe", "started")

    def __init__(self, check: Check, conclude: Conclude, about: Callable[[], About] | None = None) -> None:
        self.check = check
        self.conclude = conclude
        self.about = about
        self.probe: TcpProbe | None = None
        self.fd = -1
        self.entry = -1
        self.due = self.started = self.deadline = 0.0


class Runner:
    """Starts due checks, moves those in flight, ends those out of time."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._epoll = select.epoll()
        self._loop.add_reader(self._epoll.fileno(), self._turn)
        self._flying: dict[int, Job] = {}
        self._heap: list[tuple[float, int, Job]] = []
        self._entries = 0
        self._timer: asyncio.TimerHandle | None = None

    def schedule(self, job: Job, due: float) -> None:
        """Start the job's next check at ``due`` (time.monotonic() seconds); a check in flight is left alone."""
        if job.probe is None:
            self._enter(job, due)
            self._arm()

    def cancel(self, job: Job) -> None:
        """Forget the job and drop its check in flight, if any; no verdict is told."""
        self._land(job)
        job.entry = -1

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        for job in list(self._flying.values()):
            self.cancel(job)
        self._heap.clear()
        self._loop.remove_reader(self._epoll.fileno())
        self._epoll.close()

    def _enter(self, job: Job, due: float) -> None:
        self._entries += 1
        job.entry = self._entries
        job.due = due
        heapq.heappush(self._heap, (due, job.entry, job))

    def _turn(self) -> None:
        for fd, _ in self._epoll.poll(0, _EVENTS_A_TURN):
            job = self._flying.get(fd)
            if job is not None:
                self._step(job)
        self._clock()
        self._arm()

    def _clock(self) -> None:
        """Serve the heap for a few milliseconds; what is left is served on the loop's next turn."""
        heap = self._heap
        now = time.monotonic()
        end = now + _TURN_SECONDS
        while heap and heap[0][0] <= now < end:
            due, entry, job = heapq.heappop(heap)
            if entry != job.entry:
                continue
            if job.probe is None:
                self._launch(job)
            else:
                self._expire(job, now - due)
            now = time.monotonic()

    def _arm(self) -> None:
        heap = self._heap
        while heap and heap[0][1] != heap[0][2].entry:
            heapq.heappop(heap)
        if not heap:
            return
        due = heap[0][0]
        if self._timer is not None:
            if not self._timer.cancelled() and self._loop.time() < self._timer.when() <= due:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(due, self._turn)

    def _launch(self, job: Job) -> None:
        job.probe = make_probe(job.check, job.about)
        job.started = time.monotonic()
        job.deadline = job.started + (job.check.connect_ms or job.check.inter_ms) / 1000
        self._connect(job)

    def _connect(self, job: Job) -> None:
        probe = job.probe
        assert probe is not None
        verdict = probe.start()
        if verdict is not None or probe.sock is None:
            self._conclude(job, verdict or local_failure("no socket"))
            return
        try:
            self._epoll.register(probe.sock.fileno(), probe.events)
        except OSError as error:  # ENOSPC: the user's limit of watches, or ENOMEM
            self._conclude(job, local_failure(errno_text(error.errno or 0)))
            return
        job.fd = probe.sock.fileno()
        self._flying[job.fd] = job
        self._enter(job, job.deadline)
        if probe.connected:
            self._connected(job)

    def _step(self, job: Job) -> None:
        probe = job.probe
        assert probe is not None
        events, connected = probe.events, probe.connected
        verdict = probe.ready()
        if verdict is not None:
            self._conclude(job, verdict)
            return
        if probe.events != events:
            self._epoll.modify(job.fd, probe.events)
        if probe.connected and not connected:
            self._connected(job)

    def _connected(self, job: Job) -> None:
        """``timeout check`` bounds what follows the connect, if it is set; else the whole check has one limit."""
        if job.check.read_ms:
            job.deadline = time.monotonic() + job.check.read_ms / 1000
            self._enter(job, job.deadline)

    def _expire(self, job: Job, late_s: float) -> None:
        probe = job.probe
        assert probe is not None
        verdict = probe.ready()  # a last look: the answer may be there, unread
        if verdict is None:
            limit = max(_LAG_SECONDS, _LAG_SHARE * (job.deadline - job.started))
            if late_s > limit:
                verdict = local_failure(f"the check was held up on our side for {late_s * 1000:.0f} ms")
            else:
                verdict = failure(probe.timeout_status)
        self._conclude(job, verdict)

    def _conclude(self, job: Job, verdict: Verdict) -> None:
        now = time.monotonic()
        if verdict.passed and job.probe is not None and job.probe.goes_on():
            self._unwatch(job)
            job.probe.close()
            if job.check.read_ms:
                job.deadline = now + (job.check.connect_ms or job.check.inter_ms) / 1000
            self._connect(job)
            return
        self._land(job)
        self._enter(job, now + job.conclude(verdict, now - job.started))

    def _land(self, job: Job) -> None:
        """Close the check in flight."""
        self._unwatch(job)
        if job.probe is not None:
            job.probe.close()
            job.probe = None

    def _unwatch(self, job: Job) -> None:
        """The one way out of ``_flying``."""
        if job.fd >= 0:
            del self._flying[job.fd]
            # A forked child may still hold the socket, and closing alone would leave it in the set.
            self._epoll.unregister(job.fd)
            job.fd = -1
