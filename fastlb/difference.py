"""What changes from one plan to another, for whom, and what a reload would refuse: functions from value to value."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from typing import Any

from fastlb import limits
from fastlb.plan.model import Backend, Check, Frontend, Plan, Process, Server
from fastlb.spelling import destination_of, name_of, text_of

# Of 'global': what a running service cannot change, and what it takes up only when it is started again.
RESTART_ONLY = ("user", "uid", "gid", "groups", "chroot")
AT_NEXT_START = ("nofile", "fd_hard_limit", "dumpable", "quiet", "daemon", "pidfile")

# What concerns only the next choice of a server, or the master itself; everything else belongs to the session.
_AT_ONCE = {
    "maxconn", "weight", "backup", "disabled", "balance", "draws", "hashing", "hash_key", "allbackups", "description",
    "id", "guid", "backlog", "tfo", "defer_accept", "mode", "uid", "gid", "name", "minconn", "maxqueue", "fullconn",
    "slowstart_ms", "slowstart_new", "shutdown_when_down", "shutdown_backups_when_up", "track", "log_health_checks",
    "rate_limit",
    "non_stick",
    "unpublished",
}  # fmt: skip
# Numbers of the plan, and what says nothing by itself.
_NUMBERING = {
    "name", "location", "first_server", "server_count", "is_listen", "key", "frontend", "groups", "tracked",
    "keeps_fields", "number", "rated",
}  # fmt: skip
_RESOLVED = {"backend", "logs", "session_log", "rules"}  # compared by what they refer to
_FOLLOW = ("fastinter_ms", "downinter_ms", "connect_ms")  # the same as 'inter', unless they are said
_GO_ON = "go on until they end"
_KEEP = "keep the old"


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. ``part`` and ``index`` are the part of the old plan whose sessions it concerns.

    ``part`` is ``frontends``, ``backends`` or ``servers``, or empty where no session is concerned; ``then`` is what
    becomes of them.
    """

    text: str
    part: str = ""
    index: int = 0
    then: str = ""


def refusal(old: Plan, new: Plan) -> str | None:
    """Why a running service cannot go over to the new plan, if so."""
    changed = [name for name in RESTART_ONLY if getattr(old.process, name) != getattr(new.process, name)]
    if not changed:
        return None
    words = ", ".join(dict.fromkeys("'group'" if name in ("gid", "groups") else f"'{name}'" for name in changed))
    return f"a change of {words} in 'global' needs a restart"


def changes(old: Plan, new: Plan) -> list[Change]:
    """All differences, in the order of the file: global, addresses, frontends, backends with their servers."""
    return [*_process(old, new), *_binds(old, new), *_frontends(old, new), *_backends(old, new), *_tables(old, new),
            *_metrics(old, new)]  # fmt: skip


def _process(old: Plan, new: Plan) -> Iterator[Change]:
    for field in _differing(old.process, new.process):
        if field in RESTART_ONLY or field in _NUMBERING or field in _RESOLVED or field == "workers":
            continue
        when = "at the next start" if field in AT_NEXT_START else "at once"
        yield Change(f"~ global: {_from_to(old.process, new.process, field)}, {when}")
    before, after = limits.worker_count(old), limits.worker_count(new)
    if after > before:
        yield Change(f"~ workers: {after - before} more begin")
    elif after < before:
        yield Change(f"~ workers: {before - after} accept nothing more, and end with their last sessions")
    if _targets(old, old.process.logs) != _targets(new, new.process.logs):
        yield Change("~ global: other log targets, at once")


def _binds(old: Plan, new: Plan) -> Iterator[Change]:
    before, after = {bind.key: bind for bind in old.binds}, {bind.key: bind for bind in new.binds}
    for key, bind in before.items():
        name = old.frontends[bind.frontend].name
        if key not in after:
            yield Change(f"- {bind.address} of {name} is no longer listened on")
            continue
        owner = new.frontends[after[key].frontend].name
        if owner != name:
            yield Change(f"~ {bind.address} belongs to {owner}, no longer to {name}, at once")
        for field in _differing(bind, after[key]):
            if field not in _NUMBERING or field == "name":
                yield Change(f"~ {bind.address} of {owner}: {_from_to(bind, after[key], field)}, at once")
    for key, bind in after.items():
        if key not in before:
            yield Change(f"+ {bind.address} is listened on, for {new.frontends[bind.frontend].name}")


def _frontends(old: Plan, new: Plan) -> Iterator[Change]:
    after = {frontend.name: frontend for frontend in new.frontends}
    for index, frontend in enumerate(old.frontends):
        other = after.pop(frontend.name, None)
        if other is None:
            yield Change(f"- frontend {frontend.name}", "frontends", index, _GO_ON)
            continue
        yield from _fields(f"frontend {frontend.name}", frontend, other, "frontends", index)
        names = (_backend_name(old, frontend), _backend_name(new, other))
        if names[0] != names[1]:
            text = f"~ frontend {frontend.name}: connections go to {names[1]}, no longer to {names[0]}"
            yield Change(text, "frontends", index, "stay where they are")
        if (_targets(old, frontend.logs), frontend.session_log) != (_targets(new, other.logs), other.session_log):
            yield Change(f"~ frontend {frontend.name}: other log lines or targets", "frontends", index, _KEEP)
        if frontend.rules.digest != other.rules.digest:
            yield Change(f"~ frontend {frontend.name}: other rules", "frontends", index, _KEEP)
    for name in after:
        yield Change(f"+ frontend {name}")


def _backends(old: Plan, new: Plan) -> Iterator[Change]:
    after = {backend.name: backend for backend in new.backends}
    for index, backend in enumerate(old.backends):
        other = after.pop(backend.name, None)
        if other is None:
            yield Change(f"- backend {backend.name} with {_count(backend)}", "backends", index, _GO_ON)
            continue
        yield from _fields(f"backend {backend.name}", backend, other, "backends", index)
        if backend.rules.digest != other.rules.digest and not other.is_listen:
            yield Change(f"~ backend {backend.name}: other rules", "backends", index, _KEEP)
        yield from _servers(old, new, backend, other)
    for name, backend in after.items():
        yield Change(f"+ backend {name} with {_count(backend)}")


def _servers(old: Plan, new: Plan, backend: Backend, other: Backend) -> Iterator[Change]:
    after = {server.name: server for server in _of(new, other)}
    for index, server in enumerate(_of(old, backend), backend.first_server):
        title = f"server {backend.name}/{server.name}"
        replacement = after.pop(server.name, None)
        if replacement is None:
            yield Change(f"- {title} {destination_of(server)}", "servers", index, _GO_ON)
            continue
        before, now = destination_of(server), destination_of(replacement)
        if before != now:
            text = f"~ {title}: address {before} → {now}"
            yield Change(text, "servers", index, "stay with the old one")
        yield from _fields(title, server, replacement, "servers", index)
        yield from _check(title, server.check, replacement.check)
    for name, server in after.items():
        disabled = ", disabled" if server.disabled else ""
        yield Change(f"+ server {backend.name}/{name} {destination_of(server)}{disabled}")


def _tables(old: Plan, new: Plan) -> Iterator[Change]:
    after = {table.name: table for table in new.tables}
    for table in old.tables:
        other = after.pop(table.name, None)
        if other is None:
            yield Change(f"- stick table {table.name}, with its entries")
        elif table.shape != other.shape:
            yield Change(f"~ stick table {table.name}: another type, size or counters: it starts anew, without entries")
        else:
            for field in ("expire_ms", "nopurge"):
                if getattr(table, field) != getattr(other, field):
                    yield Change(f"~ stick table {table.name}: {_from_to(table, other, field)}, at once")
            if table.stored != other.stored:
                yield Change(f"~ stick table {table.name}: other periods of rates, at once")
    yield from (Change(f"+ stick table {name}") for name in after)


def _check(title: str, old: Check | None, new: Check | None) -> Iterator[Change]:
    if old is None and new is not None:
        yield Change(f"~ {title}: is checked from now on")
    elif old is not None and new is None:
        yield Change(f"~ {title}: is checked no longer, and counts as up")
    elif old is not None and new is not None:
        for field in _differing(old, new):
            if not (field in _FOLLOW and all(getattr(one, field) == one.inter_ms for one in (old, new))):
                yield Change(f"~ {title}: check {_from_to(old, new, field)}, at once")


def _metrics(old: Plan, new: Plan) -> Iterator[Change]:
    before, after = (
        {f"the {'metrics' if one.path else 'monitor'} at {one}" for one in plan.metrics} for plan in (old, new)
    )
    yield from (Change(f"- {gone}") for gone in sorted(before - after))
    yield from (Change(f"+ {added}") for added in sorted(after - before))


# ---- small things ------------------------------------------------------------------------------------------------


def _fields(title: str, old: Any, new: Any, part: str, index: int) -> Iterator[Change]:
    for field in _differing(old, new):
        if field in _NUMBERING or field in _RESOLVED or field in ("address", "port_offset", "check"):
            continue
        if field == "id" and isinstance(new, Server):
            continue  # most often its place: all that follow a new one have another
        text = f"~ {title}: {_from_to(old, new, field)}"
        yield Change(f"{text}, at once") if field in _AT_ONCE else Change(text, part, index, _KEEP)


def _differing(old: Any, new: Any) -> list[str]:
    """The fields that differ. Whole values are compared first: most of a big configuration stays."""
    if old == new:
        return []
    return [field.name for field in fields(old) if getattr(old, field.name) != getattr(new, field.name)]


def _from_to(old: Any, new: Any, field: str) -> str:
    before, after = (text_of(field, getattr(one, field)) for one in (old, new))
    if isinstance(new, Process) and field == "maxconn":
        before, after = (str(one.maxconn or "automatic") for one in (old, new))
    return f"{name_of(new, field)} {before} → {after}"


def _of(plan: Plan, backend: Backend) -> tuple[Server, ...]:
    return plan.servers[backend.first_server : backend.first_server + backend.server_count]


def _count(backend: Backend) -> str:
    return f"{backend.server_count} server{'s' * (backend.server_count != 1)}"


def _backend_name(plan: Plan, frontend: Frontend) -> str:
    return plan.backends[frontend.backend].name if frontend.backend >= 0 else "nowhere"


def _targets(plan: Plan, numbers: Iterable[int]) -> list[Any]:
    return [plan.log_targets[number] for number in numbers]
