"""Reload in place: everything that can fail happens first, then the change, which cannot.

    read and plan (in a child) → open new sockets → number, compile → every worker maps the new plan → metrics listener
    ─── nothing has changed until here ───
    limits, log targets, health and schedules → sockets of removed binds are closed → every worker changes over

Workers stay, sessions go on under the plan they began with.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from dataclasses import dataclass

from fastlb import _engine, arrivals, difference, kernelsplice, limits, loading, sockets, source, spelling, tables
from fastlb.children import Deployment
from fastlb.config.errors import Severity
from fastlb.listeners import Change
from fastlb.plan.load import LoadResult
from fastlb.plan.model import Plan
from fastlb.service import Service
from fastlb.shm import SharedState, TooManyError

_ERROR, _WARNING, _NOTICE = 3, 4, 5


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a reload went: a sentence, and what the configuration's author should read."""

    ok: bool
    message: str
    diagnostics: tuple[str, ...] = ()


class ReloadError(Exception):
    """The reload cannot be done; nothing has changed."""


class Reloader:
    """Reloads one at a time. Requests that arrive during one are answered by a single further one (R7)."""

    def __init__(self, service: Service, began: Callable[[], None], ended: Callable[[Outcome], None]) -> None:
        self._service = service
        self._began, self._ended = began, ended
        self._running: asyncio.Task[Outcome] | None = None
        self._next: asyncio.Task[Outcome] | None = None

    def request(self) -> asyncio.Task[Outcome]:
        """Asks for a reload of what the files say from now on; the task's result is how it went."""
        if self._running is None or self._running.done():
            self._running = asyncio.ensure_future(self._reload())
            return self._running
        if self._next is None:
            self._next = asyncio.ensure_future(self._after(self._running))
        return self._next

    async def finish(self) -> None:
        """Returns when no reload runs; no waiting one is begun."""
        if self._next is not None:
            self._next.cancel()
        if self._running is not None:
            await asyncio.wait([self._running])

    async def _after(self, running: asyncio.Task[Outcome]) -> Outcome:
        await asyncio.wait([running])
        self._running, self._next = self._next, None
        return await self._reload()

    async def _reload(self) -> Outcome:
        service, record = self._service, self._service.record
        self._began()
        diagnostics: tuple[str, ...] = ()
        try:
            result = await loading.load_apart(service.settings.paths, service.settings.reading)
            diagnostics = tuple(str(one) for one in result.diagnostics)
            message = await _deploy(service, plan_of(result))
            outcome = Outcome(True, message, diagnostics)
            record.reloads_ok += 1
        except (ReloadError, loading.LoadError, TooManyError, sockets.BindError, OSError) as error:
            outcome = Outcome(False, f"not reloaded, nothing has changed: {error}", diagnostics)
            record.reloads_failed += 1
        record.last_reload_ok, record.last_reload = outcome.ok, outcome.message
        _tell(service, outcome)
        self._ended(outcome)
        return outcome


def plan_of(result: LoadResult) -> Plan:
    """The plan of a configuration without errors. Raises ReloadError."""
    if result.plan is None:
        errors = sum(one.severity is Severity.ERROR for one in result.diagnostics)
        raise ReloadError(f"the configuration has {errors} error{'s' * (errors != 1)}")
    return result.plan


def compile_deployment(shared: SharedState, plan: Plan, generation: int) -> Deployment:
    """Numbers and compiles a plan; nothing that runs sees it yet. Raises TooManyError, OSError or ReloadError."""
    numbering = shared.reserve(plan)
    try:
        fd = _engine.compile_plan(
            plan,
            generation,
            numbering.frontends,
            numbering.backends,
            numbering.servers,
            numbering.binds,
            numbering.tables,
        )
    except ValueError as error:
        raise ReloadError(str(error)) from error
    return Deployment(generation, plan, numbering, fd, {bind.key: index for index, bind in enumerate(plan.binds)})


async def _deploy(service: Service, loaded: Plan) -> str:
    crew, old = service.crew, service.crew.deployment
    plan = service.settings.apply(loaded)
    refuse_restart_only(service, plan)
    workers = limits.worker_count(plan)
    change = service.listeners.prepare(plan, workers)
    service.record.generations += 1
    try:
        new = service.record.pending = compile_deployment(service.shared, plan, service.record.generations)
        service.shared.tables.make(plan)
        await _prepare(service, new)
    except BaseException:
        _undo(service, change)
        raise
    opened, closed = len(change.opened), await _change(service, new, change)
    if workers != crew.roster.size:
        crew.resize(workers)
    os.close(old.fd)
    _warn(service, old.plan, plan)
    return _summary(new, crew.roster.size, opened, closed)


def _undo(service: Service, change: Change) -> None:
    service.listeners.abandon(change)
    pending, service.record.pending = service.record.pending, None
    if pending is not None:
        os.close(pending.fd)
    service.collect()


async def _prepare(service: Service, new: Deployment) -> None:
    """The last things that can fail: a worker that does not take the plan, a metrics address that is in use."""
    reasons = await service.crew.prepare(new)
    if reasons:
        raise ReloadError(f"a worker refuses the plan: {reasons[0]}")
    try:
        await service.metrics.install(new.plan.metrics)
    except OSError as error:
        raise ReloadError(f"metrics: {error.strerror or error}") from error


async def _change(service: Service, new: Deployment, change: Change) -> int:
    """The point of no return and what follows; returns how many sockets were closed."""
    record, old = service.record, service.crew.deployment
    if settle_s := service.listeners.hush(change.closed_keys):
        await asyncio.sleep(settle_s)
    put_in_force(service, new)
    service.listeners.adopt(change)
    service.listeners.refresh(new.plan)
    # Before the workers' turn: each serves the queue of a removed socket and then closes it as the last that has it.
    closed = service.listeners.retire(change)
    await service.crew.commit(new)
    record.older.append(old)
    record.pending = None
    record.loaded_at = time.time()
    return closed


def put_in_force(service: Service, new: Deployment) -> None:
    """Limits, log targets, health: what the master itself does for a plan. The workers follow."""
    service.shared.install(new.plan, service.limits.maxconn(new.plan))
    service.logs.install(new.plan, new.numbering)
    service.health.install(new.plan, new.numbering)


def refuse_restart_only(service: Service, new: Plan) -> None:
    """Raises ReloadError for what the service that runs cannot go over to."""
    reason = difference.refusal(service.crew.deployment.plan, new)
    if reason:
        raise ReloadError(reason)
    if source.needs_privilege(new) and not service.crew.transparent:
        raise ReloadError("the first 'usesrc' needs a restart: the workers that run have no privilege for it")
    if reason := limits.refusal(new, service.limits):
        raise ReloadError(reason)
    if limits.worker_count(new) > _engine.MAX_WORKERS:
        raise ReloadError(f"nbthread {limits.worker_count(new)}: there is room for {_engine.MAX_WORKERS} workers")


def _warn(service: Service, old: Plan, new: Plan) -> None:
    """Says what of the plan is in force in another way than it reads."""
    for text in (service.limits.warning(new), arrivals.fast_open_warning(new), *source.warnings(new)):
        if text:
            service.say(_WARNING, text)
    for name in tables.started_anew(old, new):
        text = f"the stick table '{name}' starts anew, without its entries: its type, size or counters have changed"
        service.say(_WARNING, text)
    if kernelsplice.wanted(new) and not service.crew.kernel_splice:
        service.say(_WARNING, "'option kernel-splice' takes effect at the next start")
    for field in difference.AT_NEXT_START:
        if getattr(old.process, field) != getattr(new.process, field):
            keyword = spelling.name_of(new.process, field)
            service.say(_WARNING, f"the change of '{keyword}' in 'global' takes effect at the next start")


def _summary(new: Deployment, workers: int, opened: int, closed: int) -> str:
    plan = new.plan
    counts = ((len(plan.frontends), "frontend"), (len(plan.backends), "backend"), (len(plan.servers), "server"))
    parts = [f"{count} {word}{'s' * (count != 1)}" for count, word in (*counts, (workers, "worker"))]
    if opened:
        parts.append(f"{opened} listening sockets opened")
    if closed:
        parts.append(f"{closed} listening sockets closed")
    return f"reloaded: generation {new.generation}, {', '.join(parts)}"


def _tell(service: Service, outcome: Outcome) -> None:
    for line in outcome.diagnostics:
        service.say(_WARNING if outcome.ok else _ERROR, line)
    service.say(_NOTICE if outcome.ok else _ERROR, outcome.message)
