"""The quiet moment: nothing moves, clients hold a known number of connections, and every figure must say just that."""

from __future__ import annotations

import asyncio
import time

from harness import processes
from harness.samples import Samples
from harness.sheet import total
from harness.waiting import PATIENCE

from soak_lib.fault import Stage
from soak_lib.load import STALL_S
from soak_lib.trend import Trend

TRUTH_S, TRUTH_AFTER_LOSS_S = 5.0 * PATIENCE, 40.0
OF_SERVERS = "fastlb_server_sessions"
SESSIONS = ("fastlb_frontend_sessions", "fastlb_backend_sessions", OF_SERVERS, "fastlb_worker_sessions",
            "fastlb_worker_connections")  # fmt: skip
NOTHING = ("fastlb_backend_queued_sessions", "fastlb_server_queued_sessions", "fastlb_server_connecting",
           "fastlb_worker_buffers")  # fmt: skip
MEMORY_MIB, DESCRIPTORS = 6.0, 4.0  # growth over a run that is not yet growth


async def moment(stage: Stage, trend: Trend) -> None:
    """Bring the load to rest, compare, take the figures for the trend, and let it go on."""
    stage.load.pause()
    try:
        await _rest(stage)
        await _truth(stage)
        await _no_zombies(stage)
        await _measure(stage, trend)
    except OSError as error:
        stage.books.violate("doors", f"no answer at a quiet moment: {error!r}")
    finally:
        stage.load.go_on()


async def _rest(stage: Stage) -> None:
    deadline = time.monotonic() + STALL_S + 5
    while moving := stage.load.unsettled():
        if time.monotonic() > deadline:
            break
        await asyncio.sleep(0.1)
    stage.books.check("clients finish", not moving, f"still moving: {dict(moving)}")


async def _truth(stage: Stage) -> None:
    """Sessions are what clients hold, and nothing else is out."""
    lossy = any(each.grace > 10 and each.covers(time.monotonic()) for each in stage.books.windows)
    deadline = time.monotonic() + (TRUTH_AFTER_LOSS_S if lossy else TRUTH_S)
    while True:
        held, now = stage.load.held(), await stage.balancer.scrape()
        everybody = stage.balancer.shape.all_servers
        lies = differences(now, held, everybody) if held == stage.load.held() else ["clients came or went meanwhile"]
        if not lies or time.monotonic() > deadline:
            break
        await asyncio.sleep(0.3)
    stage.books.check("gauges tell the truth", not lies, f"clients hold {held}: {'; '.join(lies)}")


def differences(now: Samples, held: int, everybody: bool = True) -> list[str]:
    """Figures that are not what they must be while clients hold ``held`` connections and nothing moves.

    Unless ``everybody`` is there, a server has been removed, and with it the series of sessions that it still has.
    """
    known = tuple(name for name in SESSIONS if everybody or name != OF_SERVERS)
    wrong = [f"{name} is {total(now, name)}" for name in known if total(now, name) != held]
    if not everybody and total(now, OF_SERVERS) > held:
        wrong.append(f"{OF_SERVERS} is {total(now, OF_SERVERS)}")
    wrong += [f"{name} is {total(now, name)}" for name in NOTHING if total(now, name)]
    out = total(now, "fastlb_worker_pipes") - total(now, "fastlb_worker_pipes_idle")
    return wrong + [f"{out} pipes out"] * bool(out)


async def _no_zombies(stage: Stage) -> None:
    """None that stays: a child that has just ended may be one for a moment."""
    found = set(stage.balancer.zombies())
    deadline = time.monotonic() + 2
    while found and time.monotonic() < deadline:
        await asyncio.sleep(0.2)
        found &= set(stage.balancer.zombies())
    stage.books.check("no zombies", not found, f"zombies {sorted(found)}")


async def _measure(stage: Stage, trend: Trend) -> None:
    """Memory in MiB, and descriptors without those of connections and pipes; by how many workers there are."""
    pids, now = await stage.balancer.workers(), await stage.balancer.scrape()
    draining = sum(map(bool, pids)) - stage.balancer.shape.workers
    crew = f" ({stage.balancer.shape.workers} workers" + f", {draining} draining" * (draining > 0) + ")"
    _measure_one(stage, trend, f"master{crew}", stage.balancer.pid, 0)
    for number, pid in enumerate(pids[:2]):
        label = str(number)
        used = now.sum("fastlb_worker_connections", worker=label) + now.sum("fastlb_worker_pipes", worker=label)
        if pid:
            _measure_one(stage, trend, f"worker {number}{crew}", pid, 2 * used)


def _measure_one(stage: Stage, trend: Trend, name: str, pid: int, in_use: int) -> None:
    who, _, crew = name.partition(" (")
    at_s = stage.books.elapsed_s()
    trend.add(f"{who}: MiB", at_s, processes.rss_kib(pid) / 1024, MEMORY_MIB)
    trend.add(f"{who}: descriptors ({crew}", at_s, _descriptors(pid) - in_use, DESCRIPTORS)


def _descriptors(pid: int) -> int:
    return sum(processes.descriptors(pid).values())
