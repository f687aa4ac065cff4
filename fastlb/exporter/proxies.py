"""Families about frontends and backends."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from prometheus_client.metrics_core import Metric

from fastlb import _engine
from fastlb.exporter.family import Row, counter, gauge, session_ends
from fastlb.exporter.labels import Labels
from fastlb.stats import BackendCounts, FrontendCounts, FrontendStats, Snapshot

_FRONTEND_COUNTERS: tuple[tuple[str, str, Callable[[FrontendCounts], int]], ...] = (
    ("sessions", "Sessions begun.", lambda c: c.sessions_total),
    ("received_bytes", "Bytes received from clients.", lambda c: c.received_bytes_total),
    ("sent_bytes", "Bytes sent to clients.", lambda c: c.sent_bytes_total),
    ("undelivered_bytes", "Bytes for clients that had gone.", lambda c: c.undelivered_bytes_total),
    ("denied_connections", "Connections that a rule refused at once.", lambda c: c.denied_connections_total),
)
_BACKEND_COUNTERS: tuple[tuple[str, str, Callable[[BackendCounts], int]], ...] = (
    ("sessions", "Sessions begun.", lambda c: c.sessions_total),
    ("queued_sessions", "Sessions that had to wait for a server.", lambda c: c.queued_total),
    ("retries", "Connection attempts repeated at the same server.", lambda c: c.retries_total),
    ("redispatches", "Sessions taken to another server after one failed.", lambda c: c.redispatches_total),
    ("no_server", "Sessions for which no server was available.", lambda c: c.no_server_total),
)


def frontends(snapshot: Snapshot) -> Iterator[Metric]:
    rows = [(Labels(proxy=frontend.name), frontend) for frontend in snapshot.frontends]
    yield gauge("frontend_sessions", "Sessions now.", [(labels, f.counts.sessions) for labels, f in rows])
    limits = [(labels, f.maxconn) for labels, f in rows if f.maxconn]
    yield gauge("frontend_session_limit", "Sessions that the frontend accepts (maxconn), where it is set.", limits)
    for name, text, read in _FRONTEND_COUNTERS:
        yield counter(f"frontend_{name}", text, [(labels, read(f.counts)) for labels, f in rows])
    ends = [(labels, f.ended) for labels, f in rows]
    yield session_ends("frontend_session_ends", "Sessions ended, by side and reason.", ends)
    yield counter("frontend_proxy_headers_refused", "Clients without a right PROXY header, by reason.", _refused(rows))


def _refused(rows: Sequence[tuple[Labels, FrontendStats]]) -> list[Row]:
    """Reasons that have occurred."""
    return [
        (labels.plus("reason", reason), number)
        for labels, frontend in rows
        for reason, number in zip(_engine.HEADER_REFUSALS, frontend.headers_refused, strict=True)
        if number
    ]


def backends(snapshot: Snapshot) -> Iterator[Metric]:
    rows = [(Labels(proxy=backend.name), backend) for backend in snapshot.backends]
    up = [(labels, b.actives + b.backups > 0) for labels, b in rows]
    yield gauge("backend_up", "1 while at least one server can be used.", up)
    usable = [(labels.plus("role", "active"), b.actives) for labels, b in rows]
    usable += [(labels.plus("role", "backup"), b.backups) for labels, b in rows]
    yield gauge("backend_usable_servers", "Servers that can be used, by role.", usable)
    yield gauge("backend_sessions", "Sessions now.", [(labels, b.counts.sessions) for labels, b in rows])
    queued = [(labels, b.counts.queued) for labels, b in rows]
    yield gauge("backend_queued_sessions", "Sessions that wait for a server, also for a certain one.", queued)
    for name, text, read in _BACKEND_COUNTERS:
        yield counter(f"backend_{name}", text, [(labels, read(b.counts)) for labels, b in rows])
    ends = [(labels, b.ended) for labels, b in rows]
    yield session_ends("backend_session_ends", "Sessions ended, by side and reason.", ends)
