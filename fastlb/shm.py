"""Slots: which frontend, backend and server owns which row of the shared memory, for as long as anybody counts there.

A slot belongs to a name, so that counters and health survive a reload. It is freed when no live plan has the name and
no session counts under it any more.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from fastlb import _engine
from fastlb.plan.fullconn import fullconns
from fastlb.plan.model import Bind, Plan, Server
from fastlb.tables import SharedTables
from fastlb.tables import TooManyError as TooManyError

Name = TypeVar("Name", bound=Hashable)
ServerName = tuple[str, str]

_FRONTEND_GAUGES = tuple(_engine.FRONTEND_FIELDS.index(name) for name in ("sessions",))
_BACKEND_GAUGES = tuple(_engine.BACKEND_FIELDS.index(name) for name in ("sessions", "queued"))
_SERVER_GAUGES = tuple(_engine.SERVER_FIELDS.index(name) for name in ("sessions", "connecting", "queued"))


@dataclass(frozen=True, slots=True)
class Numbering:
    """The slots of a plan: ``frontends[i]`` is the slot of ``plan.frontends[i]``, and so on.

    A bind that limits its connections counts them under a slot of its own, of those for frontends; others have None.
    """

    frontends: tuple[int, ...]
    backends: tuple[int, ...]
    servers: tuple[int, ...]
    binds: tuple[int | None, ...] = ()
    tables: tuple[int, ...] = ()


@dataclass(slots=True)
class Slots(Generic[Name]):
    """Allocates small numbers to names, the lowest free one first."""

    kind: str
    size: int
    taken: dict[Name, int] = field(default_factory=dict)

    def reserve(self, names: Sequence[Name]) -> tuple[int, ...]:
        """The slot of every name; all of them or, with TooManyError, none."""
        used = set(self.taken.values())
        free = (slot for slot in range(self.size) if slot not in used)
        fresh: dict[Name, int] = {}
        for name in names:
            if name not in self.taken and name not in fresh:
                slot = next(free, None)
                if slot is None:
                    raise TooManyError(f"too many {self.kind}: this build has room for {self.size}")
                fresh[name] = slot
        self.taken |= fresh
        return tuple(self.taken[name] for name in names)

    def release(self, live: set[Name], is_idle: Callable[[list[int]], list[bool]]) -> list[int]:
        """Gives up the slots of names that are neither live nor busy, and returns them."""
        gone = [name for name in self.taken if name not in live]
        idle = is_idle([self.taken[name] for name in gone]) if gone else []
        return [self.taken.pop(name) for name, free in zip(gone, idle, strict=True) if free]


class SharedState:
    """The service's shared memory, made once, and who owns which slot of it."""

    def __init__(self) -> None:
        self.fd = _engine.shm_create()
        self.view = _engine.Shm(self.fd)
        self.tables = SharedTables()
        self._frontends: Slots[str] = Slots("frontends and addresses with a limit", _engine.MAX_FRONTENDS)
        self._backends: Slots[str] = Slots("backends", _engine.MAX_BACKENDS)
        self._servers: Slots[ServerName] = Slots("servers", _engine.MAX_SERVERS)

    def reserve(self, plan: Plan) -> Numbering:
        """Slots for everything in ``plan``, known names keeping theirs. Changes nothing that a worker could see."""
        limited = [_bind_name(bind) for bind in plan.binds if bind.maxconn]
        slots = self._frontends.reserve([frontend.name for frontend in plan.frontends] + limited)
        own = iter(slots[len(plan.frontends) :])
        return Numbering(
            slots[: len(plan.frontends)],
            self._backends.reserve([backend.name for backend in plan.backends]),
            self._servers.reserve([_name(plan, server) for server in plan.servers]),
            tuple(next(own) if bind.maxconn else None for bind in plan.binds),
            self.tables.reserve(plan),
        )

    def install(self, plan: Plan, service_maxconn: int = 0) -> Numbering:
        """Reserves, and sets the limits of the service, of frontends and backends: they count from this moment on.

        Those of servers are the health monitor's, as they may change between reloads.
        """
        numbering = self.reserve(plan)
        for slot, frontend in zip(numbering.frontends, plan.frontends, strict=True):
            self.view.set_frontend_limit(slot, frontend.maxconn, frontend.rate_limit)
        for own, bind in zip(numbering.binds, plan.binds, strict=True):
            if own is not None:
                self.view.set_frontend_limit(own, bind.maxconn, 0)
        for slot, fullconn in zip(numbering.backends, fullconns(plan, service_maxconn), strict=True):
            self.view.set_backend_fullconn(slot, fullconn)
        rates = plan.process.maxconnrate, plan.process.maxsessrate
        limited = any(rates) or any(frontend.rate_limit for frontend in plan.frontends)
        self.view.set_process_limit(service_maxconn, *rates, limited)
        self.tables.install(plan)
        return numbering

    def collect(self, live: Sequence[tuple[Plan, Numbering]]) -> None:
        """Frees the slots that are in no live plan and count nothing now."""
        plans = [plan for plan, _ in live]
        self.tables.collect(plans)
        view = self.view
        frontends = {frontend.name for plan in plans for frontend in plan.frontends}
        frontends |= {_bind_name(bind) for plan in plans for bind in plan.binds if bind.maxconn}
        backends = {backend.name for plan in plans for backend in plan.backends}
        servers = {_name(plan, server) for plan in plans for server in plan.servers}
        for slot in self._frontends.release(frontends, lambda slots: _idle(view.frontends(slots), _FRONTEND_GAUGES)):
            view.clear_frontend(slot)
        for slot in self._servers.release(servers, lambda slots: _idle(view.servers(slots), _SERVER_GAUGES)):
            view.clear_server(slot)
        for slot in self._backends.release(backends, lambda slots: _idle(view.backends(slots), _BACKEND_GAUGES)):
            view.drop_schedule(slot)
            view.clear_backend(slot)


def _bind_name(bind: Bind) -> str:
    """No frontend has such a name: it has a blank."""
    return f"bind {bind.key}"


def _name(plan: Plan, server: Server) -> ServerName:
    return plan.backends[server.backend].name, server.name


def _idle(rows: Sequence[tuple[int, ...]], gauges: Sequence[int]) -> list[bool]:
    return [not any(row[gauge] for gauge in gauges) for row in rows]
