"""Whether the balancer is well, in the sense of ``monitor fail``: asked of what the master knows."""

from __future__ import annotations

from collections.abc import Callable

from fastlb._engine import BACKEND_FIELDS, SERVER_FIELDS, Shm
from fastlb.health.monitor import HealthMonitor
from fastlb.plan.monitors import Failing, Monitor, Question
from fastlb.shm import Numbering

_BACKEND_SESSIONS, _BACKEND_QUEUED = map(BACKEND_FIELDS.index, ("sessions", "queued"))
_SERVER_SESSIONS, _SERVER_QUEUED = map(SERVER_FIELDS.index, ("sessions", "queued"))


class Liveness:
    """The view of one moment: ``numbering`` is that of the plan in force."""

    def __init__(self, health: HealthMonitor, view: Shm, numbering: Numbering) -> None:
        self._health = health
        self._view = view
        self._numbering = numbering
        self._samples: dict[str, Callable[[int], int]] = {
            "always_true": lambda index: 1,
            "always_false": lambda index: 0,
            "nbsrv": health.usable_servers,
            "srv_is_up": lambda index: int(health.is_up(index)),
            "be_conn": lambda index: self._of_backend(index, _BACKEND_SESSIONS),
            "queue": lambda index: self._of_backend(index, _BACKEND_QUEUED),
            "srv_conn": lambda index: self._of_server(index, _SERVER_SESSIONS),
            "srv_queue": lambda index: self._of_server(index, _SERVER_QUEUED),
        }

    def is_well(self, monitor: Monitor) -> bool:
        """No ``monitor fail`` holds."""
        return not any(map(self._holds, monitor.fails))

    def _holds(self, failing: Failing) -> bool:
        holds = any(all(map(self._says_yes, questions)) for questions in failing.alternatives)
        return holds != failing.unless

    def _says_yes(self, ways: tuple[Question, ...]) -> bool:
        """One term, of which an acl may have several lines."""
        return any(map(self._is_within, ways)) != (bool(ways) and ways[0].negated)

    def _is_within(self, question: Question) -> bool:
        value = self._samples[question.sample](question.index)
        return any(low <= value <= high for low, high in question.ranges)

    def _of_backend(self, index: int, field: int) -> int:
        return self._view.backends([self._numbering.backends[index]])[0][field]

    def _of_server(self, index: int, field: int) -> int:
        return self._view.servers([self._numbering.servers[index]])[0][field]
