"""``-sf`` and ``-st``: taking the place of running processes, HAProxy's or fastlb's, once this one serves."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
from collections.abc import Iterable
from pathlib import Path

from fastlb.service import Service

RETRY_S = 0.5
_WARNING, _NOTICE = 4, 5
_LOCKS = Path("/proc/locks")


class SuccessionError(Exception):
    """Somebody else takes that place; the text says who."""


def claim(predecessors: Iterable[int]) -> list[int]:
    """Makes this process the only one that may take the place of each of these. Raises SuccessionError.

    Of two that are started for the same process both would serve, and each would have it go. The claim is a lock on a
    file of the process in /proc: whatever sockets the two have, there is one of it, only who may read its environment
    can have it, and it ends with its holder. Returns descriptors, to be kept open for life.
    """
    claims = []
    for pid in sorted(set(predecessors)):
        with contextlib.suppress(FileNotFoundError, PermissionError, ProcessLookupError):
            claims.append(_lock(pid))
    return claims


def _lock(pid: int) -> int:
    fd = os.open(f"/proc/{pid}/environ", os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        holder = _holder(fd)
        os.close(fd)
        hint = f": use '-sf {holder}' to take the place of that one" if holder else ""
        raise SuccessionError(
            f"another process{holder and f' (pid {holder})'} takes the place of process {pid} already{hint}"
        ) from None
    return fd


def _holder(fd: int) -> str:
    """The process that has the lock on a file, from /proc/locks; empty when that does not tell."""
    inode = str(os.fstat(fd).st_ino)
    with contextlib.suppress(OSError):
        for line in _LOCKS.read_text().splitlines():
            _, kind, _, _, pid, file, *_ = line.split()
            if kind == "FLOCK" and file.rpartition(":")[2] == inode and int(pid) > 0:
                return pid
    return ""


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
