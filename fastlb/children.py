"""One living worker as the master sees it: its process, its control socket, and what it has been told so far."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from time import monotonic

from fastlb import control, limits, process, worker
from fastlb.listeners import Listener
from fastlb.plan.model import Plan
from fastlb.shm import Numbering


@dataclass(frozen=True, slots=True)
class Deployment:
    """A plan in force: what it says, where its rows are, and its compiled form for the workers."""

    generation: int
    plan: Plan
    numbering: Numbering
    fd: int
    bind_index: dict[str, int] = field(compare=False)


@dataclass(slots=True, eq=False)
class Child:
    """``adopted`` are the listeners it holds, ``prepared`` the generations it has mapped."""

    slot: int
    pid: int
    pidfd: int
    channel: control.Channel
    started_s: float = field(default_factory=monotonic)
    ready: bool = False
    leaving: bool = False
    killed: bool = False
    fatal: str | None = None
    adopted: set[int] = field(default_factory=set)
    prepared: set[int] = field(default_factory=set)
    serving: tuple[tuple[int, int], ...] | None = None

    def prepare(self, deployment: Deployment) -> asyncio.Future[None]:
        """Has the worker map and check a plan, which changes nothing yet."""
        self.prepared.add(deployment.generation)
        return self.channel.ask({"op": "prepare", "generation": deployment.generation}, [deployment.fd])

    def install(
        self, deployment: Deployment, listeners: Sequence[Listener], cpus: Sequence[int]
    ) -> list[asyncio.Future[None]]:
        """Has the worker change to a plan and to exactly these listeners; the answers, in order."""
        answers = [] if deployment.generation in self.prepared else [self.prepare(deployment)]
        self.prepared = {deployment.generation}
        answers += self._adopt(listeners)
        commit = {
            "op": "commit",
            "generation": deployment.generation,
            "hard_stop_ms": deployment.plan.process.hard_stop_after_ms,
            "busy_polling": deployment.plan.process.busy_polling,
            "pipes": limits.pipes(deployment.plan),
            "cpus": list(cpus),
        }
        answers.append(self._serve(commit, deployment, listeners))
        return answers

    def lend(self, deployment: Deployment, listeners: Sequence[Listener]) -> list[asyncio.Future[None]]:
        """Has the worker accept from exactly these listeners, if that is a change."""
        if self.serving == _pairs(deployment, listeners):
            return []
        return [*self._adopt(listeners), self._serve({"op": "serve"}, deployment, listeners)]

    def leave(self, op: str) -> None:
        """``drain``: finish what there is, then end. ``stop``: end now."""
        self.leaving = True
        self.channel.post({"op": op})

    def kill(self) -> None:
        """SIGKILL, because nothing else reaches a stopped process."""
        self.killed = True
        process.send_signal(self.pidfd, signal.SIGKILL)

    def close(self) -> None:
        """Takes in a dead worker's last words, and lets go of it."""
        self.channel.drain()
        asyncio.get_running_loop().remove_reader(self.pidfd)
        self.channel.close()
        os.close(self.pidfd)

    def _adopt(self, listeners: Sequence[Listener]) -> list[asyncio.Future[None]]:
        fresh = [listener for listener in listeners if listener.number not in self.adopted]
        self.adopted = {listener.number for listener in listeners}
        return [
            self.channel.ask(
                {"op": "adopt", "sockets": [[one.number, one.shared] for one in some]},
                [one.sock.fileno() for one in some],
            )
            for some in control.pieces(fresh, control.MESSAGE_FDS)
            if some
        ]

    def _serve(
        self, message: control.Message, deployment: Deployment, listeners: Sequence[Listener]
    ) -> asyncio.Future[None]:
        self.serving = _pairs(deployment, listeners)
        *first, last = control.pieces(self.serving, control.PAIRS)
        for some in first:
            self.channel.post({"op": "serve_more", "serve": some})
        return self.channel.ask({**message, "serve": last})


def spawn(
    duty: worker.Duty, on_message: Callable[[Child, control.Message], None], on_end: Callable[[Child], None]
) -> Child:
    """Forks a worker; ``on_end`` is called, from the loop, when its process has ended."""
    ours, theirs = control.pair()
    with theirs:
        try:
            pid = process.fork(lambda: worker.main(duty, theirs))
        finally:
            if duty.kernel_maps is not None:
                duty.kernel_maps.close()
    pidfd = os.pidfd_open(pid)
    child = Child(duty.slot, pid, pidfd, control.Channel(ours, lambda message: on_message(child, message)))
    asyncio.get_running_loop().add_reader(pidfd, on_end, child)
    return child


async def failures(answers: Iterable[asyncio.Future[None]]) -> list[str]:
    """Waits for all and returns the reasons of those that failed; a worker that ended meanwhile is not one."""
    outcomes = await asyncio.gather(*answers, return_exceptions=True)
    return [str(one) for one in outcomes if one is not None and not isinstance(one, control.WorkerGoneError)]


def _pairs(deployment: Deployment, listeners: Iterable[Listener]) -> tuple[tuple[int, int], ...]:
    return tuple((one.number, deployment.bind_index[one.key]) for one in listeners if one.key in deployment.bind_index)
