"""What ``fastlb status`` says of a running service."""

from __future__ import annotations

import os
import time

from fastlb import __version__, _engine, admin
from fastlb.service import Service

_SESSIONS = _engine.WORKER_FIELDS.index("sessions")


def answer(service: Service) -> admin.Answer:
    """For people in ``message``, for programs in the other fields."""
    record, deployment, roster = service.record, service.crew.deployment, service.crew.roster
    return admin.done(
        _text(service),
        version=__version__,
        pid=os.getpid(),
        node=deployment.plan.process.node,
        description=deployment.plan.process.description,
        ready=service.readiness()[0],
        stopping=record.stopping,
        generation=deployment.generation,
        digest=deployment.plan.digest,
        files=deployment.plan.files,
        reloads_ok=record.reloads_ok,
        reloads_failed=record.reloads_failed,
        last_reload=record.last_reload,
        maxconn=service.limits.maxconn(deployment.plan),
        sessions=sum(sessions(service)),
        workers=[
            {"worker": slot, "pid": pid, "state": state, "sessions": count, "restarts": restarts}
            for slot, (pid, state, count, restarts) in enumerate(
                zip(roster.pids(), roster.states(), sessions(service), roster.restarts(), strict=True)
            )
        ],
    )


def sessions(service: Service) -> list[int]:
    """The sessions of each worker slot now."""
    return [service.shared.view.worker(slot)[_SESSIONS] for slot in range(len(service.crew.roster.slots))]


def _text(service: Service) -> str:
    record, crew, plan = service.record, service.crew, service.crew.deployment.plan
    now, counts = time.time(), sessions(service)
    process = plan.process
    about = f"{process.node}{f' ({process.description})' if process.description else ''}"
    lines = [
        f"fastlb {__version__} on {about}, master pid {os.getpid()}, up {_duration(now - record.start_time)}: "
        f"{service.readiness()[1]}",
        f"configuration  {', '.join(plan.files)} (generation {crew.deployment.generation}, loaded "
        f"{_duration(now - record.loaded_at)} ago)",
        f"last reload    {record.last_reload} ({record.reloads_ok} succeeded, {record.reloads_failed} failed)",
        f"sessions       {sum(counts)} now, at most {service.limits.maxconn(plan)}",
    ]
    roster = crew.roster
    for slot, (pid, state, restarts) in enumerate(zip(roster.pids(), roster.states(), roster.restarts(), strict=True)):
        if pid or slot < roster.size:
            lines.append(
                f"worker {slot:<7} pid {pid or '-'}, {state}, {counts[slot]} sessions, restarted {restarts} times"
            )
    return "\n".join(lines)


def _duration(seconds: float) -> str:
    """``3 d 4 h``, ``5 min 6 s``: the two greatest units."""
    left = max(int(seconds), 0)
    parts: list[str] = []
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count or (unit == "s" and not parts):
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2])
