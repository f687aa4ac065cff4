"""The master: starts the service, obeys signals and commands, and ends it.

It is one thread with one asyncio loop, for ever: it forks, and a fork takes along the locks of other threads (P60).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastlb import admin, banner, pidfile, preview, process, startup, status, succession
from fastlb.crew import WorkerStartError
from fastlb.limits import LimitError
from fastlb.notify import Notifier
from fastlb.places import PlaceError
from fastlb.plan.model import Plan
from fastlb.reaper import Reaper
from fastlb.reload import Outcome, Reloader, ReloadError
from fastlb.service import Service
from fastlb.settings import Settings
from fastlb.shm import TooManyError
from fastlb.sockets import BindError

EXIT_OK, EXIT_FAILED = 0, 1
TICK_S = 1.0
_ERROR, _NOTICE = 3, 5

_CANNOT_START = (
    pidfile.PidfileError,
    startup.StartError,
    admin.AdminError,
    PlaceError,
    LimitError,
    BindError,
    WorkerStartError,
    ReloadError,
    succession.SuccessionError,
    TooManyError,
    OSError,
)


@dataclass(frozen=True, slots=True)
class Start:
    """What a master starts from. ``started`` is told once, when all workers serve."""

    settings: Settings
    plan: Plan
    inherited: Sequence[int]
    notifier: Notifier
    say: Callable[[str], None]
    started: Callable[[], None]


async def run(start: Start) -> int:
    """The whole life of a master; returns its exit status."""
    process.set_title(f"master [{start.settings.name}]")
    claims: list[int] = []
    try:
        claims = succession.claim(start.settings.predecessors)
        lock = admin.Lock(Path(start.settings.socket), start.settings.predecessors)
        try:
            service = await startup.build(start.settings, start.plan, start.inherited)
            return await Master(start, service, lock).live()
        finally:
            lock.release()
    except _CANNOT_START as error:
        start.say(str(error) if isinstance(error, BindError) else f"fastlb: error: {error}")
        return EXIT_FAILED
    finally:
        for claimed in claims:
            os.close(claimed)


class Master:
    """Everything that happens to a service comes in here, as a signal, a command or a tick."""

    def __init__(self, start: Start, service: Service, lock: admin.Lock) -> None:
        self._start = start
        self._service = service
        self._lock = lock
        self._loop = asyncio.get_running_loop()
        self._notifier = start.notifier
        self._pidfile = start.plan.process.pidfile
        self._reloader = Reloader(service, self._reload_begins, self._reload_ended)
        self._reaper = Reaper()
        self._ending: asyncio.Task[None] | None = None
        self._stopping: asyncio.Task[None] | None = None
        self._succession: asyncio.Task[None] | None = None
        self._hurry = asyncio.Event()
        self._ended = asyncio.Event()
        self._timers: list[asyncio.TimerHandle] = []
        commands: dict[str, admin.Command] = {
            "reload": lambda request: self._reload(),
            "status": lambda request: self._status(),
            "stop": lambda request: self._stop(),
            "drain": lambda request: self._drain(),
            "plan": lambda request: preview.answer(service, request),
        }
        self._admin = admin.AdminServer(Path(start.settings.socket), commands, service.say)

    async def live(self) -> int:
        """From the first worker to the last."""
        self._catch_signals()
        self._loop.set_exception_handler(self._unexpected)
        try:
            if await self._launch():
                await self._announce()
                await self._ended.wait()
        finally:
            await self._close()
        return EXIT_OK

    async def _launch(self) -> bool:
        """Starts the workers; False when a signal ended the service meanwhile."""
        launch = asyncio.ensure_future(startup.launch(self._service))
        ended = asyncio.ensure_future(self._ended.wait())
        await asyncio.wait((launch, ended), return_when=asyncio.FIRST_COMPLETED)
        ended.cancel()
        if launch.done():
            launch.result()
        else:
            launch.cancel()
        return not self._service.record.stopping

    async def _announce(self) -> None:
        self._lock.take_over()
        await self._admin.open()
        pidfile.write(self._pidfile)
        if not (self._start.settings.quiet or self._plan.process.quiet):
            for line in banner.lines(self._service, startup.warnings(self._service)):
                self._start.say(line)
            self._start.say("fastlb: ready")
        self._tick()
        self._feed_watchdog()
        self._notifier.ready(self._summary)
        self._start.started()
        self._succession = asyncio.ensure_future(succession.succeed(self._service))

    async def _close(self) -> None:
        service = self._service
        for timer in self._timers:
            timer.cancel()
        if self._succession is not None:
            self._succession.cancel()
        await service.crew.stop()
        service.listeners.close()
        service.health.close()
        await service.metrics.close()
        await self._admin.close()
        pidfile.remove(self._pidfile)
        service.drain_logs()
        service.crew.close()
        service.logs.close()

    def _unexpected(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """A fault of ours in some callback: the service goes on, the operator hears of it."""
        self._service.say(_ERROR, f"internal error: {context.get('message')}: {context.get('exception')!r}")
        loop.default_exception_handler(context)

    @property
    def _plan(self) -> Plan:
        return self._service.crew.deployment.plan

    @property
    def _summary(self) -> str:
        return f"{self._service.readiness()[1]}, generation {self._service.crew.deployment.generation}"

    # Signals and commands

    def _catch_signals(self) -> None:
        handlers = {
            signal.SIGTERM: lambda: self._end("stop"),
            signal.SIGINT: lambda: self._end("stop"),
            signal.SIGUSR1: lambda: self._end("drain"),
            signal.SIGHUP: self._request_reload,
            signal.SIGUSR2: self._request_reload,
        }
        for number, handler in handlers.items():
            self._loop.add_signal_handler(number, handler)

    def _request_reload(self) -> None:
        if self._service.record.ready and not self._service.record.stopping:
            self._reloader.request()

    async def _reload(self) -> admin.Answer:
        if self._service.record.stopping:
            return admin.failed("not reloaded: fastlb is ending")
        outcome = await asyncio.shield(self._reloader.request())
        answer = admin.done if outcome.ok else admin.failed
        return answer(outcome.message, diagnostics=outcome.diagnostics)

    async def _status(self) -> admin.Answer:
        return status.answer(self._service)

    async def _stop(self) -> admin.Answer:
        await asyncio.shield(self._end("stop"))
        return admin.done("fastlb has stopped")

    async def _drain(self) -> admin.Answer:
        await asyncio.shield(self._end("drain"))
        return admin.done("fastlb has drained and stopped")

    # The end

    def _end(self, how: str) -> asyncio.Task[None]:
        """Begins to end the service; a stop overtakes a drain, anything else joins what is under way."""
        if self._ending is None:
            self._ending = asyncio.ensure_future(self._finish(how))
        elif how == "stop":
            self._hurry.set()
            self._stopping = asyncio.ensure_future(self._service.crew.stop())
        return self._ending

    async def _finish(self, how: str) -> None:
        service = self._service
        service.record.stopping = True
        self._notifier.stopping("draining" if how == "drain" else "stopping")
        service.say(_NOTICE, f"{'draining' if how == 'drain' else 'stopping'}: {self._sessions()} sessions")
        try:
            await self._reloader.finish()
            if how == "drain":
                await self._be_graceful()
                await self._empty()
        finally:
            await service.crew.stop()
            service.say(_NOTICE, "stopped")
            self._ended.set()

    async def _be_graceful(self) -> None:
        """``grace``: connections are accepted as before, while whoever asks is told that the service stops."""
        if grace_ms := self._plan.process.grace_ms:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._hurry.wait(), grace_ms / 1000)

    async def _empty(self) -> None:
        """Returns when the last session has ended, or hard-stop-after has passed."""
        listeners, limit_ms = self._service.listeners, self._plan.process.hard_stop_after_ms
        if settle_s := listeners.hush(listeners.keys()):
            await asyncio.sleep(settle_s)
        listeners.close()  # each queue is served by its worker, whose descriptor is now the last
        await self._service.crew.drain(limit_ms / 1000 if limit_ms else None)

    def _sessions(self) -> int:
        return sum(status.sessions(self._service))

    # Ticks

    def _reload_begins(self) -> None:
        self._notifier.reloading()

    def _reload_ended(self, outcome: Outcome) -> None:
        self._notifier.ready(f"{self._summary}; {outcome.message}")

    def _tick(self) -> None:
        self._timers[:] = [self._loop.call_later(TICK_S, self._tick), *self._timers[1:]]
        self._service.collect()
        self._service.drain_logs()
        self._service.watch_ports()
        self._reaper.tick()

    def _feed_watchdog(self) -> None:
        if self._notifier.watchdog_s is not None:
            self._notifier.alive()
            self._timers[1:] = [self._loop.call_later(self._notifier.watchdog_s, self._feed_watchdog)]
