"""``fullconn``: the sessions of a backend at which servers with a ``minconn`` get their whole ``maxconn``."""

from __future__ import annotations

from fastlb.plan.model import Plan


def fullconns(plan: Plan, service_maxconn: int) -> tuple[int, ...]:
    """For each backend; 0 where no server has a ``minconn``.

    Unset, it is a tenth of the ``maxconn`` of all frontends that may send sessions there, as ``default_backend`` or by
    ``use_backend``, rounded up, at least 1; a frontend without one counts with that of the service (HAProxy manual,
    section 4.2 ``fullconn``).
    """
    frontends = [0] * len(plan.backends)
    for frontend in plan.frontends:
        for index in {frontend.backend, *frontend.rules.reaches} - {-1}:
            frontends[index] += frontend.maxconn or service_maxconn
    dynamic = {server.backend for server in plan.servers if server.minconn}
    return tuple(
        (backend.fullconn or max(1, -(-frontends[index] // 10))) if index in dynamic else 0
        for index, backend in enumerate(plan.backends)
    )
