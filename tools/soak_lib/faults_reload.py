"""Reloads under load. None of them explains the end of a connection."""

from __future__ import annotations

import asyncio
import os
import signal
from dataclasses import replace

from harness.client import refused

from soak_lib.books import UNREADY
from soak_lib.fault import RECOVERY_S, Stage, fault
from soak_lib.link import Door
from soak_lib.shape import Shape


@fault("reload")
async def reload_server_removed_or_added(stage: Stage) -> None:
    shape = stage.balancer.shape
    await _reload(stage, replace(shape, all_servers=not shape.all_servers))


@fault("reload")
async def reload_maxconn_of_servers(stage: Stage) -> None:
    """A limit that makes sessions queue under load now and then, or none."""
    limit = 0 if stage.balancer.shape.limit else stage.rng.randint(25, 60)
    await _reload(stage, replace(stage.balancer.shape, limit=limit))


@fault("reload", (UNREADY,), grace=1)
async def reload_number_of_workers(stage: Stage) -> None:
    """Two become three, three become two; the third finishes its sessions first. Until it serves, one is missing."""
    workers = 5 - stage.balancer.shape.workers
    await _reload(stage, replace(stage.balancer.shape, workers=workers))
    ready = await stage.balancer.until(
        lambda now: now["ready"] and sum(bool(each["pid"]) for each in now["workers"]) >= workers, RECOVERY_S
    )
    stage.books.check("recovery", ready, f"no {workers} workers after the reload")


@fault("reload")
async def reload_bind_added_and_removed(stage: Stage) -> None:
    """Clients use the new address as long as it is there; removed, it refuses, and no connection is cut."""
    await _reload(stage, replace(stage.balancer.shape, extra=stage.spare_port))
    door = Door(stage.spare_port)
    stage.load.doors.append(door)
    await asyncio.sleep(stage.rng.uniform(1, 3))
    stage.load.doors.remove(door)
    await asyncio.sleep(0.5)  # for connects on their way: only those that have begun are promised to be served
    await _reload(stage, replace(stage.balancer.shape, extra=0))
    gone = False
    for _ in range(50):
        if gone := await asyncio.to_thread(refused, ("127.0.0.1", stage.spare_port)):
            break
        await asyncio.sleep(0.1)
    stage.books.check("reload", gone, "a removed bind still accepts after 5 s")


@fault("reload")
async def reload_refused(stage: Stage) -> None:
    """A file with an error: exit 1, and nothing has changed."""
    before = (await stage.balancer.status())["generation"]
    wrong = stage.rng.choice(["    balnace roundrobin\n", "    server x nowhere:0\n", "    bind 192.0.2.1:1\n", "\0\n"])
    succeeded, said = await stage.balancer.reload_text(stage.balancer.shape.text() + wrong)
    stage.balancer.write()
    after = (await stage.balancer.status())["generation"]
    stage.books.check("reload", not succeeded, f"a file with {wrong!r} was taken: {said}")
    stage.books.check("reload", before == after, f"a refused reload has changed the generation {before} to {after}")


@fault("reload")
async def reload_signals_in_a_storm(stage: Stage) -> None:
    """Thirty signals at once; afterwards the file is in force, and the master takes orders."""
    for _ in range(30):
        os.kill(stage.balancer.pid, signal.SIGHUP)
    await _reload(stage, stage.balancer.shape)


async def _reload(stage: Stage, shape: Shape) -> None:
    succeeded, said = await stage.balancer.reload(shape)
    stage.books.check("reload", succeeded, f"a correct file was refused: {said}")
