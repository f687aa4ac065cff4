"""Statistics: one frozen Snapshot of everything that is counted. Whoever shows numbers renders a Snapshot.

Taking one reads the shared memory, the plan, the monitor's values and the clock, and changes nothing. Counters are sums
over all workers, dead ones included; they never go back while the name they belong to stays configured.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from operator import itemgetter

from fastlb import _engine
from fastlb._engine import Shm
from fastlb.health.model import ServerHealth
from fastlb.plan.model import Plan
from fastlb.ports import HostStats, PortsInUse, host_stats
from fastlb.shm import Numbering


@dataclass(frozen=True, slots=True)
class MasterInfo:
    """What only the master knows. Times are seconds since the epoch.

    ``workers`` is how many there shall be. ``pids`` has a place for every one that ever was, 0 while it is away: what
    it counted stays counted.
    """

    version: str
    start_time: float
    generation: int
    digest: str
    plan_loaded_at: float
    reloads_ok: int
    reloads_failed: int
    last_reload_ok: bool
    worker_restarts: tuple[int, ...]
    workers: int
    ready: bool
    stopping: bool
    maxconn: int
    max_sessions_per_worker: int
    log_dropped: int
    pids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class WorkerCounts:
    """A worker's own row. The names here and below are the engine's; ``*_total`` count, the others are gauges."""

    pid: int
    heartbeat_ms: int
    generation: int
    sessions: int
    sessions_total: int
    accepts_total: int
    accept_errors_total: int
    accept_pauses_total: int
    pipes: int
    pipes_idle: int
    buffers: int
    bytes_copied_total: int
    bytes_spliced_total: int
    log_lines_total: int
    log_dropped_total: int
    stale_events_total: int
    turns_total: int
    pipes_taken_total: int
    pipes_returned_total: int
    local_errors_total: int
    sessions_closed_total: int
    connections: int
    kernel_sessions: int
    kernel_sessions_total: int
    bytes_kernel_total: int


@dataclass(frozen=True, slots=True)
class FrontendCounts:
    """``received`` is from clients, ``sent`` to clients, ``undelivered`` was meant for clients that had gone.

    ``denied_connections`` were refused by ``tcp-request connection`` and never became sessions.
    """

    sessions: int
    sessions_total: int
    received_bytes_total: int
    sent_bytes_total: int
    undelivered_bytes_total: int
    denied_connections_total: int


@dataclass(frozen=True, slots=True)
class BackendCounts:
    sessions: int
    queued: int
    sessions_total: int
    queued_total: int
    retries_total: int
    redispatches_total: int
    no_server_total: int


@dataclass(frozen=True, slots=True)
class ServerCounts:
    """``received`` is from the server, ``sent`` to it, ``undelivered`` was meant for it when it had gone."""

    sessions: int
    connecting: int
    queued: int
    picked_total: int
    sessions_total: int
    connect_errors_total: int
    connect_timeouts_total: int
    local_errors_total: int
    retries_total: int
    redispatches_total: int
    received_bytes_total: int
    sent_bytes_total: int
    undelivered_bytes_total: int
    connect_us_total: int
    session_us_total: int
    queue_us_total: int
    closed_first_total: int
    last_session_us: int


@dataclass(frozen=True, slots=True)
class WorkerStats:
    """``pid`` is 0 for a worker that is away; ``heartbeat_age_s`` is None for one that has not turned its loop yet."""

    index: int
    pid: int
    restarts: int
    heartbeat_age_s: float | None
    counts: WorkerCounts


@dataclass(frozen=True, slots=True)
class FrontendStats:
    """``ended[i]`` counts the sessions that ended for the reason CAUSES[i]. ``maxconn`` 0 is no limit of its own.

    ``headers_refused[i]`` counts those whose PROXY header was refused for the reason HEADER_REFUSALS[i].
    """

    name: str
    maxconn: int
    counts: FrontendCounts
    ended: tuple[int, ...]
    headers_refused: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class BackendStats:
    """``actives`` and ``backups`` are the servers that may take new connections now."""

    name: str
    actives: int
    backups: int
    counts: BackendCounts
    ended: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ServerStats:
    """``maxconn`` and ``maxqueue`` are 0 for no limit.

    The histograms hold one number for each of the engine's cells, in microseconds.
    """

    backend: str
    name: str
    maxconn: int
    maxqueue: int
    health: ServerHealth
    counts: ServerCounts
    ended: tuple[int, ...]
    connect_cells: tuple[int, ...]
    session_cells: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class TableStats:
    """A stick table: ``entries`` of ``size``, ``evicted`` to make room for others, ``refused`` for want of room."""

    name: str
    size: int
    entries: int
    evicted: int
    refused: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    master: MasterInfo
    host: HostStats
    workers: tuple[WorkerStats, ...]
    frontends: tuple[FrontendStats, ...]
    backends: tuple[BackendStats, ...]
    servers: tuple[ServerStats, ...]
    tables: tuple[TableStats, ...] = ()


def _columns(counts: type, engine_fields: Sequence[str]) -> Callable[[tuple[int, ...]], tuple[int, ...]]:
    """Picks what the class holds out of the engine's row."""
    try:
        return itemgetter(*(engine_fields.index(field.name) for field in fields(counts)))
    except ValueError as error:
        raise ImportError(f"fastlb._engine does not belong to this fastlb, build it again: {error}") from error


_WORKER = _columns(WorkerCounts, _engine.WORKER_FIELDS)
_FRONTEND = _columns(FrontendCounts, _engine.FRONTEND_FIELDS)
_BACKEND = _columns(BackendCounts, _engine.BACKEND_FIELDS)
_SERVER = _columns(ServerCounts, _engine.SERVER_FIELDS)
_FRONTEND_ENDED = _engine.FRONTEND_FIELDS.index("ended_0_total")
_FRONTEND_REFUSED = _engine.FRONTEND_FIELDS.index("headers_refused_0_total")
_BACKEND_ENDED = _engine.BACKEND_FIELDS.index("ended_0_total")
_SERVER_ENDED = _engine.SERVER_FIELDS.index("ended_0_total")
_CAUSES = len(_engine.CAUSES)


def take_snapshot(
    view: Shm,
    plan: Plan,
    numbering: Numbering,
    health: Sequence[ServerHealth],
    info: MasterInfo,
    ports_in_use: PortsInUse = (),
    tables: Sequence[tuple[int, int, int]] = (),
) -> Snapshot:
    """Everything that is counted, now. ``health`` is in the order of ``plan.servers``."""
    return Snapshot(
        master=info,
        host=host_stats(ports_in_use),
        workers=tuple(_worker(view, index, info) for index in range(len(info.pids))),
        frontends=_frontends(view, plan, numbering),
        backends=_backends(view, plan, numbering, health),
        servers=_servers(view, plan, numbering, health),
        tables=tuple(TableStats(one.name, one.size, *row) for one, row in zip(plan.tables, tables, strict=False)),
    )


def _worker(view: Shm, index: int, info: MasterInfo) -> WorkerStats:
    restarts = info.worker_restarts[index] if index < len(info.worker_restarts) else 0
    counts = WorkerCounts(*_WORKER(view.worker(index)))
    pid = info.pids[index] if index < len(info.pids) else 0
    age_s = time.monotonic() - counts.heartbeat_ms / 1000 if pid and counts.heartbeat_ms else None
    return WorkerStats(index, pid, restarts, age_s, counts)


def _frontends(view: Shm, plan: Plan, numbering: Numbering) -> tuple[FrontendStats, ...]:
    rows = view.frontends(numbering.frontends)
    return tuple(
        FrontendStats(
            frontend.name,
            frontend.maxconn,
            FrontendCounts(*_FRONTEND(row)),
            _ended(row, _FRONTEND_ENDED),
            row[_FRONTEND_REFUSED : _FRONTEND_REFUSED + len(_engine.HEADER_REFUSALS)],
        )
        for frontend, row in zip(plan.frontends, rows, strict=True)
    )


def _backends(view: Shm, plan: Plan, numbering: Numbering, health: Sequence[ServerHealth]) -> tuple[BackendStats, ...]:
    stats = []
    for backend, row in zip(plan.backends, view.backends(numbering.backends), strict=True):
        servers = health[backend.first_server : backend.first_server + backend.server_count]
        usable = [server for server in servers if server.usable]
        backups = sum(server.backup for server in usable)
        counts = BackendCounts(*_BACKEND(row))
        stats.append(BackendStats(backend.name, len(usable) - backups, backups, counts, _ended(row, _BACKEND_ENDED)))
    return tuple(stats)


def _servers(view: Shm, plan: Plan, numbering: Numbering, health: Sequence[ServerHealth]) -> tuple[ServerStats, ...]:
    rows = view.servers(numbering.servers)
    cells = view.histograms(numbering.servers)
    return tuple(
        ServerStats(
            state.backend,
            server.name,
            server.maxconn,
            server.maxqueue,
            state,
            ServerCounts(*_SERVER(row)),
            _ended(row, _SERVER_ENDED),
            *histograms,
        )
        for server, state, row, histograms in zip(plan.servers, health, rows, cells, strict=True)
    )


def _ended(row: tuple[int, ...], first: int) -> tuple[int, ...]:
    return row[first : first + _CAUSES]
