"""Families about servers: what happened on their connections, and what the health checks say."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from prometheus_client.metrics_core import Metric

from fastlb.exporter.buckets import CONNECT_BUCKETS, SESSION_BUCKETS
from fastlb.exporter.family import counter, gauge, histogram, session_ends
from fastlb.exporter.labels import Labels
from fastlb.health.model import ServerHealth
from fastlb.stats import ServerCounts, ServerStats, Snapshot

Rows = Sequence[tuple[Labels, ServerStats]]

_COUNTERS: tuple[tuple[str, str, Callable[[ServerCounts], float]], ...] = (
    ("picked", "Times that the balancing chose the server.", lambda c: c.picked_total),
    ("sessions", "Sessions that the server accepted.", lambda c: c.sessions_total),
    ("retries", "Connection attempts repeated at this server.", lambda c: c.retries_total),
    ("redispatches", "Sessions taken to another server after this one failed.", lambda c: c.redispatches_total),
    ("received_bytes", "Bytes received from the server.", lambda c: c.received_bytes_total),
    ("sent_bytes", "Bytes sent to the server.", lambda c: c.sent_bytes_total),
    ("undelivered_bytes", "Bytes for the server when it had gone.", lambda c: c.undelivered_bytes_total),
    ("closed_first", "Sessions whose port waits for a minute: our FIN was first.", lambda c: c.closed_first_total),
    ("queue_seconds", "Time that sessions waited before they got this server.", lambda c: c.queue_us_total / 1e6),
)
_CONNECT_FAILURES: tuple[tuple[str, Callable[[ServerCounts], int]], ...] = (
    ("error", lambda c: c.connect_errors_total),
    ("timeout", lambda c: c.connect_timeouts_total),
    ("local", lambda c: c.local_errors_total),
)
_CHECK_COUNTERS: tuple[tuple[str, str, Callable[[ServerHealth], int]], ...] = (
    ("checks", "Health checks done.", lambda h: h.checks),
    ("check_failures", "Health checks that failed.", lambda h: h.failures),
    ("checks_inconclusive", "Health checks that failed for a reason of our own; state kept.", lambda h: h.inconclusive),
)


_ALARMS = "Times that connections failed as often in a row as 'error-limit' says, where 'observe' counts them."


def servers(snapshot: Snapshot) -> Iterator[Metric]:
    rows = [(Labels(proxy=server.backend, server=server.name), server) for server in snapshot.servers]
    yield from _traffic(rows)
    yield from _histograms([(labels, s) for labels, s in rows if s.counts.sessions_total or any(s.connect_cells)])
    yield from _health(rows)
    yield from _checks([(labels, s.health) for labels, s in rows if s.health.checked])
    yield from _changes([(labels, s.health) for labels, s in rows if s.health.checked or s.health.tracks])


def _traffic(rows: Rows) -> Iterator[Metric]:
    yield gauge("server_sessions", "Sessions now.", [(labels, s.counts.sessions) for labels, s in rows])
    yield gauge("server_connecting", "Connections being made.", [(labels, s.counts.connecting) for labels, s in rows])
    yield gauge(
        "server_queued_sessions", "Sessions that wait for this server.", [(k, s.counts.queued) for k, s in rows]
    )
    used = [(labels, s.counts.last_session_us / 1e6) for labels, s in rows if s.counts.last_session_us]
    yield gauge("server_last_session_timestamp_seconds", "When the server last got a session.", used)
    limits = [(labels, s.maxconn) for labels, s in rows if s.maxconn]
    yield gauge("server_session_limit", "Sessions that the server gets (maxconn), where it is set.", limits)
    queues = [(labels, s.maxqueue) for labels, s in rows if s.maxqueue]
    yield gauge("server_queue_limit", "Sessions that may wait for this server (maxqueue), where it is set.", queues)
    for name, text, read in _COUNTERS:
        yield counter(f"server_{name}", text, [(labels, read(s.counts)) for labels, s in rows])
    failures = [(labels.plus("kind", kind), read(s.counts)) for labels, s in rows for kind, read in _CONNECT_FAILURES]
    yield counter("server_connect_failures", "Failed connection attempts: error, timeout, local shortage.", failures)
    ends = [(labels, s.ended) for labels, s in rows]
    yield session_ends("server_session_ends", "Sessions that ended at this server, connected or not.", ends)


def _histograms(rows: Rows) -> Iterator[Metric]:
    connects = [(labels, s.connect_cells, s.counts.connect_us_total) for labels, s in rows]
    yield histogram("server_connect_duration_seconds", "Time to connect.", connects, CONNECT_BUCKETS)
    sessions = [(labels, s.session_cells, s.counts.session_us_total) for labels, s in rows]
    yield histogram("server_session_duration_seconds", "Duration of ended sessions.", sessions, SESSION_BUCKETS)


def _state(health: ServerHealth) -> str:
    if health.maintenance:
        return "maint"
    if not health.checked and not health.tracks:
        return "unchecked"
    if health.stopping:
        return "nolb"
    return "up" if health.up else "down"


def _health(rows: Rows) -> Iterator[Metric]:
    yield gauge(
        "server_up", "1 while the server is neither down nor in maintenance.", [(k, s.health.up) for k, s in rows]
    )
    states = [
        (labels.plus("state", _state(s.health)).plus("role", "backup" if s.health.backup else "active"), 1)
        for labels, s in rows
    ]
    yield gauge("server_state", "State and role of the server; always 1.", states)
    yield gauge("server_weight", "Weight in the balancing.", [(labels, s.health.weight) for labels, s in rows])
    warmths = [(labels, s.health.warmth) for labels, s in rows if s.health.warmth is not None]
    yield gauge("server_slowstart_ratio", "Part of its weight that a server with slowstart has by now.", warmths)


def _checks(rows: Sequence[tuple[Labels, ServerHealth]]) -> Iterator[Metric]:
    for name, text, read in _CHECK_COUNTERS:
        yield counter(f"server_{name}", text, [(labels, read(h)) for labels, h in rows])
    yield counter("server_error_limits_reached", _ALARMS, [(labels, h.alarms) for labels, h in rows])
    done = [(labels, h) for labels, h in rows if h.check_status]
    statuses = [(labels.plus("status", h.check_status), 1) for labels, h in done]
    yield gauge("server_check_status", "HAProxy's code of the last check; always 1.", statuses)
    codes = [(labels, h.check_code) for labels, h in done if h.check_code is not None]
    yield gauge("server_check_http_code", "HTTP status of the last check that read one.", codes)
    durations = [(labels, h.duration_ms / 1000) for labels, h in done]
    yield gauge("server_check_duration_seconds", "Duration of the last check.", durations)


def _changes(rows: Sequence[tuple[Labels, ServerHealth]]) -> Iterator[Metric]:
    changes = [(labels.plus("to", "down"), h.downs) for labels, h in rows]
    changes += [(labels.plus("to", "up"), h.ups) for labels, h in rows]
    yield counter(
        "server_state_changes", "Changes of state by health checks, its own or those of a server it tracks.", changes
    )
    down = [(labels, h.down_ms / 1000) for labels, h in rows]
    yield counter("server_down_seconds", "Time spent down or in maintenance.", down)
    changed = [(labels, h.changed_time) for labels, h in rows]
    yield gauge("server_last_change_timestamp_seconds", "When the server last went up or down, or was added.", changed)
