"""Faults of workers: killed, stopped, without descriptors."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
import socket

from harness import processes

from soak_lib.books import END, SILENT, UNREADY
from soak_lib.fault import RECOVERY_S, Stage, fault, recovered

ALL = (END, UNREADY, SILENT)


@fault("worker", ALL)
async def worker_killed(stage: Stage) -> None:
    victim = await _victim(stage)
    os.kill(victim, signal.SIGKILL)
    await _replaced(stage, victim)


@fault("worker", ALL)
async def worker_stopped(stage: Stage) -> None:
    """Its heartbeat stands still: the master kills and replaces it."""
    victim = await _victim(stage)
    os.kill(victim, signal.SIGSTOP)
    await _replaced(stage, victim)


@fault("worker", (END,))
async def worker_without_descriptors(stage: Stage) -> None:
    """Room for a few more descriptors only, while many clients come; then the limit is as before."""
    pids = [pid for pid in await stage.balancer.workers() if pid]
    before = {pid: resource.prlimit(pid, resource.RLIMIT_NOFILE) for pid in pids}
    clients: list[socket.socket] = []
    try:
        for pid in pids:
            room = sum(processes.descriptors(pid).values()) + stage.rng.randint(3, 12)
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (min(room, before[pid][1]), before[pid][1]))
        clients = await connect_many(stage, 40)
        await asyncio.sleep(1.5)
    finally:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                resource.prlimit(pid, resource.RLIMIT_NOFILE, before[pid])
        for client in clients:
            client.close()
    await recovered(stage)


@fault("limits")
async def more_clients_than_maxconn(stage: Stage) -> None:
    """The limit of all workers is reached and passed: who comes later waits in the kernel's queue."""
    limit = (await stage.balancer.scrape()).sum("fastlb_session_limit")
    clients = await connect_many(stage, limit + 20)
    await asyncio.sleep(1)
    now = await stage.balancer.scrape()
    count = now.sum("fastlb_worker_sessions")
    stage.books.check("limits", count <= limit, f"{count} sessions, {limit} allowed")
    for client in clients:
        client.close()


async def connect_many(stage: Stage, count: int) -> list[socket.socket]:
    """Clients that connect and say nothing."""
    loop, clients = asyncio.get_running_loop(), []
    for _ in range(count):
        client = socket.socket()
        client.setblocking(False)
        clients.append(client)
        with contextlib.suppress(OSError, asyncio.TimeoutError):
            await asyncio.wait_for(loop.sock_connect(client, ("127.0.0.1", stage.balancer.shape.even)), 5)
    return clients


async def _victim(stage: Stage) -> int:
    while True:
        found = [pid for pid in await stage.balancer.workers() if pid]
        if found:
            return stage.rng.choice(found)
        await asyncio.sleep(0.1)


async def _replaced(stage: Stage, victim: int) -> None:
    gone = await stage.balancer.until(lambda now: victim not in [each["pid"] for each in now["workers"]], RECOVERY_S)
    stage.books.check("recovery", gone, f"worker {victim} is still there after {RECOVERY_S:g} s")
    await recovered(stage)
