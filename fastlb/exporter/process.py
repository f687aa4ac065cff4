"""Families about the service as a whole and about each worker."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client.metrics_core import Metric

from fastlb import _engine
from fastlb.exporter.family import counter, gauge
from fastlb.exporter.labels import Labels
from fastlb.stats import Snapshot, WorkerCounts

_NO_LABELS = Labels()


def master(snapshot: Snapshot) -> Iterator[Metric]:
    info = snapshot.master
    versions = Labels(version=info.version, engine=_engine.BUILD)
    yield gauge("build_info", "Versions of fastlb and its engine; always 1.", [(versions, 1)])
    yield gauge("config_info", "SHA-256 of the configuration in force; always 1.", [(Labels(sha256=info.digest), 1)])
    for name, text, value in (
        ("start_time_seconds", "When the master started, in seconds since the epoch.", info.start_time),
        ("ready", "1 while new connections are accepted.", info.ready),
        ("stopping", "1 from the order to stop or to drain on.", info.stopping),
        ("workers", "Workers there should be.", info.workers),
        ("session_limit", "Sessions that all workers together accept (maxconn).", info.maxconn),
        ("worker_session_limit", "Sessions that one worker has room for.", info.max_sessions_per_worker),
        ("config_generation", "Number of the configuration in force, counted from the start.", info.generation),
        ("config_loaded_timestamp_seconds", "When the configuration in force was loaded.", info.plan_loaded_at),
        ("config_last_reload_successful", "0 if the last reload was refused, else 1.", info.last_reload_ok),
    ):
        yield gauge(name, text, [(_NO_LABELS, value)])
    reloads = [(Labels(result="success"), info.reloads_ok), (Labels(result="failure"), info.reloads_failed)]
    yield counter("config_reloads", "Reloads by result.", reloads)
    in_rings = sum(worker.counts.log_dropped_total for worker in snapshot.workers)
    dropped = [(Labels(at="ring"), in_rings), (Labels(at="sink"), info.log_dropped)]
    yield counter("log_lines_dropped", "Log lines lost: in a worker's full ring, or before a stuck sink.", dropped)


_WORKER_GAUGES: tuple[tuple[str, str, Callable[[WorkerCounts], int]], ...] = (
    ("config_generation", "Configuration that the worker's new sessions use.", lambda c: c.generation),
    ("sessions", "Sessions now.", lambda c: c.sessions),
    ("connections", "Accepted connections that are open, in whatever state.", lambda c: c.connections),
    ("pipes", "Pipes that the worker has, for splicing.", lambda c: c.pipes),
    ("pipes_idle", "Pipes that wait for use.", lambda c: c.pipes_idle),
    ("kernel_sessions", "Sessions that the kernel forwards.", lambda c: c.kernel_sessions),
    ("buffers", "Buffers that hold bytes in flight.", lambda c: c.buffers),
)
_WORKER_COUNTERS: tuple[tuple[str, str, Callable[[WorkerCounts], int]], ...] = (
    ("sessions", "Sessions begun.", lambda c: c.sessions_total),
    ("kernel_sessions", "Sessions given to the kernel to forward.", lambda c: c.kernel_sessions_total),
    ("accepts", "Connections accepted.", lambda c: c.accepts_total),
    ("accept_errors", "Failures of accept(), for want of descriptors for instance.", lambda c: c.accept_errors_total),
    ("accept_pauses", "Times that accepting stopped at a limit.", lambda c: c.accept_pauses_total),
    ("local_errors", "Failures for want of ports, descriptors or memory.", lambda c: c.local_errors_total),
    ("log_lines", "Lines written to the log ring.", lambda c: c.log_lines_total),
    ("stale_events", "Events for connections that had ended; harmless.", lambda c: c.stale_events_total),
    ("loop_turns", "Turns of the event loop.", lambda c: c.turns_total),
)


def workers(snapshot: Snapshot) -> Iterator[Metric]:
    rows = [(Labels(worker=str(worker.index)), worker) for worker in snapshot.workers]
    yield gauge("worker_up", "1 while the worker runs.", [(labels, w.pid > 0) for labels, w in rows])
    ages = [(labels, w.heartbeat_age_s) for labels, w in rows if w.heartbeat_age_s is not None]
    yield gauge("worker_heartbeat_age_seconds", "Since the last turn of the worker's loop.", ages)
    yield counter(
        "worker_restarts", "Times that the worker was replaced.", [(labels, w.restarts) for labels, w in rows]
    )
    for name, text, read in _WORKER_GAUGES:
        yield gauge(f"worker_{name}", text, [(labels, read(w.counts)) for labels, w in rows])
    for name, text, read in _WORKER_COUNTERS:
        yield counter(f"worker_{name}", text, [(labels, read(w.counts)) for labels, w in rows])
    moved = [(labels.plus("mover", "copy"), w.counts.bytes_copied_total) for labels, w in rows]
    moved += [(labels.plus("mover", "splice"), w.counts.bytes_spliced_total) for labels, w in rows]
    moved += [(labels.plus("mover", "kernel"), w.counts.bytes_kernel_total) for labels, w in rows]
    yield counter("worker_moved_bytes", "Bytes forwarded, by the way they were moved.", moved)
