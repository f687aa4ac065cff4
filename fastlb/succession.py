"""``-sf`` and ``-st``: taking the place of running processes, HAProxy's or fastlb's, once this one serves."""

from __future__ import annotations

import asyncio
import os
import signal

from fastlb.service import Service

RETRY_S = 0.5
_WARNING, _NOTICE = 4, 5


async def succeed(service: Service) -> None:
    """Has the predecessors go; returns when nothing that was theirs is missing any more."""
    for pids, number in ((service.settings.finish, signal.SIGUSR1), (service.settings.terminate, signal.SIGTERM)):
        for pid in pids:
            _tell(service, pid, number)
    while service.record.metrics_wait:
        await asyncio.sleep(RETRY_S)
        await _try_metrics(service)


def _tell(service: Service, pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
    except OSError as error:
        service.say(_WARNING, f"process {pid} cannot be told to end: {error.strerror}")
        return
    service.say(_NOTICE, f"process {pid} was sent {number.name}: this one serves in its place")


async def _try_metrics(service: Service) -> None:
    """Its predecessor has the address of the metrics until it ends."""
    try:
        await service.metrics.install(service.crew.deployment.plan.metrics)
    except OSError:
        return
    service.record.metrics_wait = False
    service.say(_NOTICE, "the metrics are served")
