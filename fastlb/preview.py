"""``fastlb plan``: what a reload would do, for which sessions, and whether it would be refused; nothing is changed.

The file is read, and the plans are compared, in a child; the master only adds how many sessions each change concerns.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fastlb import _engine, admin, difference, loading, shm, sockets
from fastlb.children import Deployment
from fastlb.difference import Change
from fastlb.plan.load import load
from fastlb.plan.model import Bind, Plan
from fastlb.reload import ReloadError, compile_deployment, refuse_restart_only
from fastlb.service import Service

_SHOWN = 500
_SESSIONS = {
    "frontends": _engine.FRONTEND_FIELDS.index("sessions"),
    "backends": _engine.BACKEND_FIELDS.index("sessions"),
    "servers": _engine.SERVER_FIELDS.index("sessions"),
}


@dataclass(frozen=True, slots=True)
class Preview:
    """What the child finds out. With any ``refusals`` a reload would change nothing."""

    diagnostics: tuple[str, ...]
    refusals: tuple[str, ...]
    changes: tuple[Change, ...]


async def answer(service: Service, request: admin.Request) -> admin.Answer:
    """The answer to ``plan``, whose ``paths`` are read in place of the service's own files."""
    paths = request.get("paths") or service.settings.paths
    if not isinstance(paths, (list, tuple)) or not all(isinstance(path, str) for path in paths):
        return admin.failed("'paths' must be a list of file names")
    deployment = service.crew.deployment
    try:
        found = await loading.apart(lambda: _look(service, deployment.plan, paths))
    except loading.LoadError as error:
        return admin.failed(f"a reload would be refused: {error}")
    lines = [_told(service, deployment, change) for change in found.changes[:_SHOWN]]
    if len(found.changes) > _SHOWN:
        lines.append(f"… and {len(found.changes) - _SHOWN} more")
    diagnostics = [*found.diagnostics, *(f"refused: {reason}" for reason in found.refusals)]
    if found.refusals:
        return admin.failed("a reload would be refused, and change nothing", diagnostics=diagnostics, changes=lines)
    if not lines:
        return admin.done("a reload would change nothing", diagnostics=diagnostics, changes=[])
    count = f"{len(found.changes)} change{'s' * (len(found.changes) != 1)}"
    message = "\n".join([f"a reload would make {count}:", *(f"  {line}" for line in lines)])
    return admin.done(message, diagnostics=diagnostics, changes=lines)


def _look(service: Service, old: Plan, paths: Sequence[str]) -> Preview:
    """In the child: reads, compares, and tries what can be tried without anybody noticing."""
    settings = service.settings
    result = load(paths, settings.reading)
    diagnostics = tuple(str(one) for one in result.diagnostics)
    if result.plan is None:
        return Preview(diagnostics, ("the configuration is not valid",), ())
    new = settings.apply(result.plan)
    return Preview(diagnostics, tuple(_refusals(service, old, new)), tuple(difference.changes(old, new)))


def _refusals(service: Service, old: Plan, new: Plan) -> Iterator[str]:
    try:
        refuse_restart_only(service, new)
    except ReloadError as error:
        yield str(error)
    yield from service.listeners.objections(new)
    for one in set(new.metrics) - set(old.metrics):
        if one.address not in {other.address for other in old.metrics}:
            try:
                sockets.probe(Bind("", -1, one.address, one.location))
            except sockets.BindError as error:
                yield f"metrics: {error}"
    try:
        compile_deployment(service.shared, new, service.record.generations + 1)  # the child's copy of the numbering
    except (ReloadError, shm.TooManyError, OSError) as error:
        yield str(error)


def _told(service: Service, deployment: Deployment, change: Change) -> str:
    """The change, and how many sessions it concerns now."""
    if not change.part:
        return change.text
    slot = getattr(deployment.numbering, change.part)[change.index]
    (row,) = getattr(service.shared.view, change.part)([slot])
    count = row[_SESSIONS[change.part]]
    return f"{change.text} ({count} session{'s' * (count != 1)} {change.then})" if count else change.text
