"""The running service as a whole: its parts, what is in force, and what the outside may know of it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from fastlb import __version__, limits
from fastlb._engine import Shm
from fastlb.children import Deployment
from fastlb.crew import Crew
from fastlb.health.monitor import HealthMonitor
from fastlb.listeners import Listeners
from fastlb.liveness import Liveness
from fastlb.logs import Logs
from fastlb.metrics_http import MetricsServer
from fastlb.plan.model import Monitor
from fastlb.ports import PortsInUse, PortWatch
from fastlb.settings import Settings
from fastlb.shm import SharedState
from fastlb.stats import MasterInfo, Snapshot, take_snapshot

_WARNING = 4


@dataclass(slots=True)
class Record:
    """What happened to the service so far. Times are seconds since the epoch.

    ``metrics_wait``: another process still has the addresses of the metrics. ``pending`` is what a reload in progress
    has numbered; ``older`` are plans that sessions may still run under.
    """

    start_time: float = field(default_factory=time.time)
    loaded_at: float = field(default_factory=time.time)
    reloads_ok: int = 0
    reloads_failed: int = 0
    last_reload_ok: bool = True
    last_reload: str = "none so far"
    generations: int = 1  # numbers given so far: a plan that was prepared and given up must not lend its to another
    ready: bool = False
    stopping: bool = False
    metrics_wait: bool = False
    pending: Deployment | None = None
    older: list[Deployment] = field(default_factory=list)


class Service:
    """The parts; ``crew.deployment`` is the plan in force."""

    def __init__(
        self,
        settings: Settings,
        shared: SharedState,
        listeners: Listeners,
        limit: limits.Limits,
        logs: Logs,
        crew: Crew,
        health: HealthMonitor,
    ) -> None:
        self.settings = settings
        self.shared = shared
        self.listeners = listeners
        self.limits = limit
        self.logs = logs
        self.crew = crew
        self.health = health
        self.metrics = MetricsServer(self.snapshot, shared.fd, self.readiness, self.is_well, (shared.tables.fd,))
        self.record = Record()
        self._ports = PortWatch()

    def say(self, level: int, text: str) -> None:
        """A message for the operator."""
        self.logs.message(level, text)

    def info(self) -> MasterInfo:
        """What the master knows of itself, for statistics."""
        record, crew, deployment = self.record, self.crew, self.crew.deployment
        return MasterInfo(
            version=__version__,
            start_time=record.start_time,
            generation=deployment.generation,
            digest=deployment.plan.digest,
            plan_loaded_at=record.loaded_at,
            reloads_ok=record.reloads_ok,
            reloads_failed=record.reloads_failed,
            last_reload_ok=record.last_reload_ok,
            worker_restarts=crew.roster.restarts(),
            workers=crew.roster.size,
            ready=self.readiness()[0],
            stopping=record.stopping,
            maxconn=self.limits.maxconn(deployment.plan),
            max_sessions_per_worker=self.limits.max_sessions,
            log_dropped=self.logs.dropped,
            pids=crew.roster.pids(),
        )

    def snapshot(self, view: Shm, now_s: float) -> Snapshot:
        """All statistics, read through ``view`` (a forked child has to bring its own); ``now_s`` is CLOCK_MONOTONIC."""
        deployment = self.crew.deployment
        in_use, health = self._ports_in_use(view), self.health.servers(now_s)
        tables = self.shared.tables.counts_anew(deployment.numbering.tables)
        return take_snapshot(view, deployment.plan, deployment.numbering, health, self.info(), in_use, tables)

    def watch_ports(self) -> None:
        """To be called every second: follows the ephemeral ports, and warns before there is none left."""
        text = self._ports.warning(self._ports_in_use(self.shared.view), time.monotonic())
        if text is not None:
            self.say(_WARNING, text)

    def _ports_in_use(self, view: Shm) -> PortsInUse:
        deployment = self.crew.deployment
        return self._ports.look(view, deployment.plan.servers, deployment.numbering.servers, time.monotonic())

    def readiness(self) -> tuple[bool, str]:
        """Whether connections are served by all workers, and if not, why."""
        ready, size = self.crew.roster.ready(), self.crew.roster.size
        if self.record.stopping:
            return False, "stopping"
        if not self.record.ready:
            return False, "starting"
        return ready >= size, f"{ready} of {size} workers serve"

    def is_well(self, monitor: Monitor) -> bool:
        """The answer to a probe: connections are served, and no ``monitor fail`` holds."""
        alive = Liveness(self.health, self.shared.view, self.crew.deployment.numbering)
        return self.readiness()[0] and alive.is_well(monitor)

    def clean_up(self) -> None:
        """After a worker's end: what it logged is written, and what it held may be free for others."""
        self.drain_logs()
        self.crew.kick()

    def drain_logs(self) -> None:
        """Takes what the workers have logged."""
        self.logs.drain(self.shared.view, len(self.crew.roster.slots))

    def collect(self) -> None:
        """Frees what only older plans, or none, used, once no session of theirs is left."""
        living = [child.slot for child in self.crew.roster.living() if child.ready]
        current = self.crew.deployment
        oldest = min(map(self.shared.view.oldest_generation, living), default=current.generation)
        self.record.older = [old for old in self.record.older if old.generation >= oldest]
        pending = [self.record.pending] if self.record.pending else []
        self.shared.collect([(one.plan, one.numbering) for one in [*self.record.older, current, *pending]])
