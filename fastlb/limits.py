"""How many descriptors, and from them how many connections, this machine lets us have."""

from __future__ import annotations

import os
import resource
from dataclasses import dataclass

from fastlb.plan.model import Plan

FDS_PER_SESSION = 2
SPARE_FDS = 64  # standard streams, control, epoll, shared memory, the engine's reserve, and some air
CEILING = 1 << 20  # an "unlimited" hard limit is a billion on some systems; no table of ours should follow it
_PIPE_FDS = 2048
_MOST_PIPES = (1 << 31) - 1


@dataclass(frozen=True, slots=True)
class Limits:
    """What follows from the descriptor limit. ``max_sessions`` and ``nofile`` are each worker's own."""

    nofile: int
    max_sessions: int

    def room(self, plan: Plan) -> int:
        """The connections that all workers of a plan have descriptors for."""
        return self.max_sessions * worker_count(plan)

    def maxconn(self, plan: Plan) -> int:
        """The limit of the whole service: what the plan says as far as it fits, or all there is room for."""
        return min(plan.process.maxconn or self.room(plan), self.room(plan))

    def warning(self, plan: Plan) -> str | None:
        """Why ``maxconn`` is less than the plan says, if it is."""
        if plan.process.maxconn <= self.room(plan):
            return None
        return (
            f"global maxconn {plan.process.maxconn} needs more descriptors than the {self.nofile} of each worker: "
            f"lowered to {self.room(plan)} (raise the limit: ulimit -n, or LimitNOFILE= in the systemd unit)"
        )


def refusal(plan: Plan, limit: Limits) -> str | None:
    """Why a plan with ``strict-limits`` cannot be served, if so."""
    if not plan.process.strict_limits:
        return None
    if limit.nofile < plan.process.nofile:
        return f"'ulimit-n {plan.process.nofile}' is not possible, the limit is {limit.nofile} ('strict-limits')"
    if warning := limit.warning(plan):
        return f"{warning}; refused because of 'strict-limits'"
    return None


class LimitError(Exception):
    """The descriptor limit leaves no room for even a few connections."""


def allowed_cpus() -> list[int]:
    """The CPUs this process may run on."""
    return sorted(os.sched_getaffinity(0))


def worker_count(plan: Plan) -> int:
    """Workers that a plan asks for: ``nbthread``, or one for each CPU; no more than ``thread-hard-limit``."""
    workers = plan.process.workers or len(allowed_cpus())
    return min(workers, plan.process.thread_hard_limit or workers)


def pipes(plan: Plan) -> tuple[int, int]:
    """How many pipes each worker may have open, and the bytes of each (0: the engine's judgement)."""
    process = plan.process
    if not process.splice or process.maxpipes == 0:
        return 0, 0
    most = _MOST_PIPES if process.maxpipes is None else max(process.maxpipes // worker_count(plan), 1)
    return min(most, _MOST_PIPES), process.pipesize


def raise_nofile(wanted: int, ceiling: int = 0) -> int:
    """Raises the soft descriptor limit to ``wanted`` and returns what it is then; 0 is the hard limit, or ``ceiling``.

    A wish above the hard limit needs CAP_SYS_RESOURCE; without it the hard limit is what there is.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = resource.RLIM_INFINITY
    target = wanted or min(CEILING if hard == unlimited else hard, CEILING, ceiling or CEILING)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (target, target if hard == unlimited else max(target, hard)))
    except (ValueError, OSError):
        target = min(target, hard) if hard != unlimited else soft
        resource.setrlimit(resource.RLIMIT_NOFILE, (target, hard))
    return target


def fit(plan: Plan, workers: int, nofile: int) -> Limits:
    """What ``nofile`` descriptors are enough for in each of ``workers`` workers. Raises LimitError."""
    pipes = min(_PIPE_FDS, nofile // 8)
    reserve = len(plan.binds) * 2 + workers + SPARE_FDS + pipes
    max_sessions = (nofile - reserve) // FDS_PER_SESSION
    if max_sessions < 1:
        raise LimitError(
            f"the descriptor limit of {nofile} leaves no room for connections: {reserve} are needed besides them "
            "(raise it: ulimit -n, or LimitNOFILE= in the systemd unit)"
        )
    return Limits(nofile, max_sessions)
