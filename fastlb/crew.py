"""The workers of the service: forked, watched, replaced, resized, told what to do.

A worker that ends unasked is replaced after a growing delay (P11); if that takes long, its siblings get its listening
sockets meanwhile (P2). One that neither turns its loop for 3 s nor becomes ready within 10 s is killed (P12).
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from time import monotonic

from fastlb import _engine, assignment, children, control, heartbeat, kernelsplice, limits, process, steering, worker
from fastlb.children import Child, Deployment
from fastlb.listeners import Listener, Listeners
from fastlb.privileges import Identity
from fastlb.roster import Roster, Slot
from fastlb.tables import SharedTables

LEND_AFTER_S = 0.5
TICK_S = 0.5
STOP_S = 2.0
START_ATTEMPTS = 3
_ALERT, _ERROR, _WARNING, _NOTICE = 1, 3, 4, 5


class WorkerStartError(Exception):
    """A worker cannot start, and would not the next time either."""


@dataclass(frozen=True, slots=True)
class Means:
    """What every worker is given, and whom the crew tells what happens."""

    shm_fd: int
    view: _engine.Shm
    tables: SharedTables
    master_fd: int
    identity: Identity
    limits: limits.Limits
    listeners: Listeners
    kernel_splice: bool
    say: Callable[[int, str], None]


class Crew:
    """``deployment`` is what the workers have, and get when they are forked.

    ``steers`` tells whether connections go to the worker on the CPU that receives them.
    ``on_reaped`` is called when a dead worker's row in the shared memory has been put in order.
    """

    def __init__(self, means: Means, deployment: Deployment) -> None:
        self.roster = Roster()
        self.deployment = deployment
        self.steers = False
        self.on_reaped: Callable[[], None] = lambda: None
        self._means = means
        self._kick_fds: list[int] = []
        self._cpus = limits.allowed_cpus()
        self._pulse = heartbeat.Pulse(*heartbeat.clocks_ms())
        self._loop = asyncio.get_running_loop()
        self._watcher = self._loop.call_later(TICK_S, self._watch)
        self._started: asyncio.Future[None] = self._loop.create_future()
        self._gone = asyncio.Event()
        self._ending = False

    @property
    def kernel_splice(self) -> bool:
        """Whether new workers get what ``option kernel-splice`` needs."""
        return self._means.kernel_splice

    @property
    def transparent(self) -> bool:
        """Whether workers may connect from addresses that this machine does not have."""
        return self._means.identity.transparent

    # Orders

    async def start(self, size: int) -> None:
        """Forks ``size`` workers and returns when all serve. Raises WorkerStartError when one cannot."""
        self.resize(size)
        await self._started

    def resize(self, size: int) -> None:
        """Forks workers that are missing and drains those that are too many; listening sockets follow."""
        slots = self.roster.slots
        self.roster.size = size
        while len(slots) < size:
            slots.append(Slot(lent=self.roster.ready() > 0))
        # Never fewer rows than there were: what an ended worker has counted stays counted.
        self._means.view.set_worker_count(len(slots))
        self._make_kick_fds()
        for slot in slots[size:]:
            self._dismiss(slot)
        for index, slot in enumerate(slots[:size]):
            if slot.child is None and slot.respawn is None:
                self._spawn(index)
        self._distribute()
        self._steer()

    async def prepare(self, deployment: Deployment) -> list[str]:
        """Has every worker check a plan; returns the reasons of those that refuse it."""
        return await children.failures([child.prepare(deployment) for child in self.roster.children()])

    async def commit(self, deployment: Deployment) -> None:
        """Changes every worker to a plan and returns when all have; one that cannot is killed, and replaced."""
        self.deployment = deployment
        answers = [answer for child in self.roster.children() for answer in self._install(child)]
        self._steer()
        if answers:
            await asyncio.wait(answers)

    def kick(self) -> None:
        """Wakes every worker, so that it looks at the shared memory again."""
        for fd in self._kick_fds:
            os.eventfd_write(fd, 1)

    async def drain(self, limit_s: float | None) -> None:
        """Stops accepting; returns when the last session has ended, or was cut after ``limit_s``."""
        self._end("drain")
        try:
            await asyncio.wait_for(self._gone.wait(), limit_s)
        except asyncio.TimeoutError:
            self._means.say(_WARNING, "hard-stop-after has passed: the remaining sessions are cut")
            await self.stop()

    async def stop(self) -> None:
        """Ends every worker now: asked first, killed after 2 s."""
        self._end("stop")
        try:
            await asyncio.wait_for(self._gone.wait(), STOP_S)
        except asyncio.TimeoutError:
            for child in self.roster.living():
                child.kill()
            await self._gone.wait()

    def close(self) -> None:
        """Lets go of what no worker needs any more."""
        self._watcher.cancel()
        for fd in self._kick_fds:
            os.close(fd)
        self._kick_fds.clear()

    # What happens

    def _spawn(self, index: int) -> None:
        slot, means = self.roster.slots[index], self._means
        slot.respawn = None
        means.tables.succeeded(index)
        duty = worker.Duty(
            slot=index,
            shm_fd=means.shm_fd,
            tables_fd=means.tables.fd,
            kick_fds=tuple(self._kick_fds),
            master_fd=means.master_fd,
            max_sessions=means.limits.max_sessions,
            nofile=means.limits.nofile,
            identity=means.identity,
            kernel_maps=self._kernel_maps(),
        )
        try:
            slot.child = children.spawn(duty, self._heard, self._ended)
        except OSError as error:
            means.say(_ERROR, f"worker {index} cannot be forked: {error.strerror}")
            self._replace(index, lived_s=0.0)
        else:
            self._install(slot.child)

    def _kernel_maps(self) -> kernelsplice.Maps | None:
        if not self._means.kernel_splice:
            return None
        try:
            return kernelsplice.build()
        except OSError as error:
            self._means.say(_WARNING, f"a worker goes without option kernel-splice: {error.strerror}")
            return None

    def _heard(self, child: Child, message: control.Message) -> None:
        if message["op"] == "fatal":
            child.fatal = str(message.get("reason"))
        elif message["op"] == "ready":
            child.ready = True
            self.roster.slots[child.slot].lent = False
            self._distribute()
            if self.roster.ready() == self.roster.size and not self._started.done():
                self._started.set_result(None)

    def _ended(self, child: Child) -> None:
        status = process.ended(child.pid)
        if status is None:
            return
        child.close()
        self.roster.slots[child.slot].child = None
        self._means.view.reap(child.slot)
        self._means.tables.repair(child.slot)
        self.on_reaped()
        if child.leaving and status == 0:
            self._means.say(_NOTICE, f"worker {child.slot} (pid {child.pid}) has ended as told")
        if self._ending:
            self._check_gone()
        elif child.slot < self.roster.size:
            self._after_end(child, status)

    def _after_end(self, child: Child, status: int) -> None:
        index, slot = child.slot, self.roster.slots[child.slot]
        if child.leaving:  # drained for a smaller number of workers, which has grown again meanwhile
            self._spawn(index)
            return
        slot.restarts += 1
        reason = child.fatal or process.describe_end(status)
        if not self._started.done() and (status == worker.EXIT_CONFIG or slot.restarts >= START_ATTEMPTS):
            self._started.set_exception(WorkerStartError(f"worker {index} cannot start: {reason}"))
            return
        delay_s = self._replace(index, monotonic() - child.started_s)
        self._means.say(_ALERT, f"worker {index} (pid {child.pid}) {reason}; a new one starts in {delay_s:.1f} s")

    def _replace(self, index: int, lived_s: float) -> float:
        slot = self.roster.slots[index]
        delay_s = slot.backoff.next_delay_s(lived_s)
        slot.respawn = self._loop.call_later(delay_s, self._spawn, index)
        if delay_s > LEND_AFTER_S and not slot.lent:
            slot.lent = True
            self._distribute()
        return delay_s

    def _watch(self) -> None:
        self._watcher = self._loop.call_later(TICK_S, self._watch)
        self._pulse.tick(*heartbeat.clocks_ms())
        for child in self.roster.living():
            silent_ms = heartbeat.overdue_ms(self._pulse, child, self._means.view)
            if silent_ms:
                self._means.say(_ALERT, f"worker {child.slot} (pid {child.pid}) is silent for {silent_ms} ms: killed")
                child.kill()

    # Parts

    def _distribute(self) -> None:
        for child in self.roster.children():
            self._expect(child, child.lend(self.deployment, self._assigned(child)))

    def _install(self, child: Child) -> list[asyncio.Future[None]]:
        pinned = [steering.home_cpu(child.slot, self._cpus)] if self.deployment.plan.process.pin else self._cpus
        return self._expect(child, child.install(self.deployment, self._assigned(child), pinned))

    def _steer(self) -> None:
        """Tells the kernel how to choose among the sockets, once each of them has a worker that accepts."""
        wanted = self.deployment.plan.process.steer
        try:
            self._means.listeners.steer(steering.program(self._cpus, self.roster.size) if wanted else None)
            self.steers = wanted
        except OSError as error:
            self.steers = False
            self._means.say(_WARNING, f"'tune.reuseport cpu' is not possible here ({error.strerror}): the hash decides")

    def _expect(self, child: Child, answers: list[asyncio.Future[None]]) -> list[asyncio.Future[None]]:
        for answer in answers:
            answer.add_done_callback(partial(self._answered, child))
        return answers

    def _answered(self, child: Child, answer: asyncio.Future[None]) -> None:
        error = None if answer.cancelled() else answer.exception()
        if error is not None and not isinstance(error, control.WorkerGoneError) and not child.killed:
            child.fatal = f"did not obey ({error})"
            child.kill()

    def _assigned(self, child: Child) -> list[Listener]:
        listeners = self._means.listeners.all()
        return assignment.assigned(listeners, child.slot, self.roster.size, self.roster.present())

    def _make_kick_fds(self) -> None:
        missing = len(self.roster.slots) - len(self._kick_fds)
        added = [os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC) for _ in range(missing)]
        self._kick_fds += added
        for child in self.roster.living() if added else ():
            child.channel.post({"op": "kick_fds"}, added)

    def _dismiss(self, slot: Slot) -> None:
        slot.lent = True
        slot.cancel_respawn()
        if slot.child is not None and not slot.child.leaving:
            slot.child.leave("drain")

    def _end(self, op: str) -> None:
        self._ending = True
        for slot in self.roster.slots:
            slot.cancel_respawn()
        for child in self.roster.living():
            child.leave(op)
        self._check_gone()

    def _check_gone(self) -> None:
        if not self.roster.living():
            self._gone.set()
