"""Snapshots with numbers of the tests' choice, of any size."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, TypeVar

from fastlb import _engine
from fastlb.health.model import ServerHealth
from fastlb.ports import HostStats, PortsTowards
from fastlb.stats import (
    BackendCounts,
    BackendStats,
    FrontendCounts,
    FrontendStats,
    MasterInfo,
    ServerCounts,
    ServerStats,
    Snapshot,
    TableStats,
    WorkerCounts,
    WorkerStats,
)

CAUSES = len(_engine.CAUSES)
REFUSALS = len(_engine.HEADER_REFUSALS)
Counts = TypeVar("Counts")


def counts_of(kind: type[Counts], **given: int) -> Counts:
    """All zero but these."""
    return kind(**{field.name: given.get(field.name, 0) for field in fields(kind)})  # type: ignore[arg-type]


def master_info(**changes: Any) -> MasterInfo:
    usual: dict[str, Any] = {
        "version": "1.2.3",
        "start_time": 1.7e9,
        "generation": 2,
        "digest": "ab" * 32,
        "plan_loaded_at": 1.7e9 + 60,
        "reloads_ok": 1,
        "reloads_failed": 3,
        "last_reload_ok": False,
        "worker_restarts": (0, 1),
        "workers": 2,
        "ready": True,
        "stopping": False,
        "maxconn": 1000,
        "max_sessions_per_worker": 600,
        "log_dropped": 5,
        "pids": (11, 12),
    }
    return MasterInfo(**(usual | changes))


def health_of(backend: str, server: str, **changes: Any) -> ServerHealth:
    usual: dict[str, Any] = {
        "up": True,
        "status": "UP",
        "checked": True,
        "maintenance": False,
        "backup": False,
        "weight": 1,
        "check_status": "L7OK",
        "check_code": 200,
        "check_info": "",
        "duration_ms": 1.5,
        "checks": 10,
        "failures": 2,
        "inconclusive": 1,
        "downs": 1,
        "ups": 1,
        "down_ms": 1500,
        "unchanged_ms": 1000,
        "changed_time": 1.7e9,
        "warmth": 0.5,
    }
    return ServerHealth(backend, server, **(usual | changes))


def cells_of(**at: int) -> tuple[int, ...]:
    """``cells_of(c3=2)`` has two values in the engine's cell 3."""
    cells = [0] * _engine.HISTOGRAM_CELLS
    for name, number in at.items():
        cells[int(name[1:])] = number
    return tuple(cells)


def server_stats(backend: str, server: str, busy: bool = True, **health: Any) -> ServerStats:
    used = {"sessions": 3, "sessions_total": 40, "last_session_us": 1, "connect_us_total": 2_500_000}
    return ServerStats(
        backend,
        server,
        0,
        0,
        health_of(backend, server, **health),
        counts_of(ServerCounts, **(used if busy else {})),
        (30, 5, *[0] * (CAUSES - 2)) if busy else (0,) * CAUSES,
        cells_of(c0=1, c9=4, c127=2) if busy else cells_of(),
        cells_of(c20=7) if busy else cells_of(),
    )


def snapshot_of(*servers: ServerStats, **master: Any) -> Snapshot:
    info = master_info(**master)
    names = dict.fromkeys(server.backend for server in servers)
    return Snapshot(
        info,
        HostStats(
            3, 4, 28232, (PortsTowards("127.0.0.1:1", "", 2, 28232), PortsTowards("127.0.0.1:1", "127.0.0.9", 1, 28232))
        ),
        tuple(
            WorkerStats(index, 11 + index, info.worker_restarts[index], 0.25, counts_of(WorkerCounts))
            for index in range(info.workers)
        ),
        tuple(
            FrontendStats(
                name,
                50,
                counts_of(FrontendCounts, sessions_total=9),
                (8, 1, *[0] * (CAUSES - 2)),
                (0, 0, 5, *[0] * (REFUSALS - 3)),
            )
            for name in names
        ),
        tuple(BackendStats(name, 1, 0, counts_of(BackendCounts, retries_total=4), (0,) * CAUSES) for name in names),
        servers,
        (TableStats("be", 100, 7, 3, 1),),
    )
