"""From a plan to a service whose workers serve. Whatever fails here ends the start with a sentence."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import os
from collections.abc import Callable, Sequence
from time import monotonic

from fastlb import _engine, arrivals, banner, kernelsplice, limits, privileges, process, source
from fastlb.crew import Crew, Means
from fastlb.health.monitor import HealthMonitor
from fastlb.listeners import Change, Listeners, queue_warning
from fastlb.logs import Logs
from fastlb.plan.model import Plan
from fastlb.reload import compile_deployment, put_in_force
from fastlb.service import Service
from fastlb.settings import Settings
from fastlb.shm import SharedState
from fastlb.sockets import BindError

_BUSY_WAIT_S = 2.0  # the orphans of a killed master need up to this long to let go of its sockets


class StartError(Exception):
    """The service cannot start; the text says why."""


async def build(settings: Settings, plan: Plan, inherited: Sequence[int]) -> Service:
    """Everything but the workers: sockets bound, plan compiled, logs, health and metrics at work."""
    workers = limits.worker_count(plan)
    _check(settings, plan, workers)
    nofile = limits.raise_nofile(plan.process.nofile, plan.process.fd_hard_limit)
    limit = limits.fit(plan, workers, nofile)
    if refusal := limits.refusal(plan, limit):
        raise StartError(refusal)
    listeners = Listeners(inherited)
    listeners.adopt(await _bind(listeners, plan, workers, sharing=any(map(process.lives, settings.predecessors))))
    try:
        return await _assemble(settings, plan, limit, listeners)
    except BaseException:
        listeners.close()
        raise


async def _assemble(settings: Settings, plan: Plan, limit: limits.Limits, listeners: Listeners) -> Service:
    shared, logs = SharedState(), Logs()
    master_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
    means = Means(
        shared.fd,
        shared.view,
        shared.tables,
        master_fd,
        _identity(plan),
        limit,
        listeners,
        kernelsplice.wanted(plan) and kernelsplice.refusal() is None,
        logs.message,
    )
    crew = Crew(means, compile_deployment(shared, plan, generation=1))
    shared.tables.make(plan)
    health = HealthMonitor(shared.view, logs.proxy_message, crew.kick)
    service = Service(settings, shared, listeners, limit, logs, crew, health)
    crew.on_reaped = service.clean_up
    put_in_force(service, crew.deployment)
    try:
        await service.metrics.install(plan.metrics)
    except OSError as error:
        if not settings.predecessors or error.errno != errno.EADDRINUSE:
            raise StartError(f"metrics: {error.strerror or error}") from error
        service.record.metrics_wait = True
    _watch_workers(master_fd, health.look_at_traffic, service.drain_logs)
    return service


async def launch(service: Service) -> None:
    """Forks the workers, and returns when all serve."""
    plan = service.crew.deployment.plan
    privileges.lower_master(kernel_splice=kernelsplice.wanted(plan), transparent=source.needs_privilege(plan))
    gc.collect()
    gc.freeze()  # what is there now will never be garbage, and untouched it stays shared with the workers
    await service.crew.start(limits.worker_count(service.crew.deployment.plan))
    service.record.ready = True


def warnings(service: Service) -> list[str]:
    """What the operator should know before the first connection."""
    plan = service.crew.deployment.plan
    found = [
        banner.identity_warning(plan),
        service.limits.warning(plan),
        queue_warning(plan),
        arrivals.fast_open_warning(plan),
    ]
    found += source.warnings(plan)
    unused = [f"the inherited socket {address} is used by no bind" for address in service.listeners.unused(plan)]
    return [one for one in found if one] + unused


def _check(settings: Settings, plan: Plan, workers: int) -> None:
    if settings.predecessors and plan.process.steer:
        # The sockets of both processes form one group, in which theirs have the first numbers.
        raise StartError("'tune.reuseport cpu' and the place of another process (-sf, -st) do not go together")
    if workers > _engine.MAX_WORKERS:
        raise StartError(f"{workers} workers are too many: this build has room for {_engine.MAX_WORKERS}")
    refusal = privileges.refusal(_identity(plan))
    if refusal:
        raise StartError(refusal)


def _identity(plan: Plan) -> privileges.Identity:
    return privileges.Identity.of(plan.process, transparent=source.needs_privilege(plan))


async def _bind(listeners: Listeners, plan: Plan, workers: int, *, sharing: bool) -> Change:
    deadline = monotonic() + _BUSY_WAIT_S
    while True:
        try:
            return listeners.prepare(plan, workers, sharing=sharing)
        except BindError as error:
            if not error.busy or monotonic() > deadline:
                raise
        await asyncio.sleep(0.05)


def _watch_workers(master_fd: int, *looks: Callable[[], None]) -> None:
    """Workers kick when there is something to see."""

    def readable() -> None:
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(master_fd)
        for look in looks:
            look()

    asyncio.get_running_loop().add_reader(master_fd, readable)
