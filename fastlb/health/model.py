"""What the rest of the master sees of a server's health: one frozen value for each server."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServerHealth:
    """``status`` is HAProxy's text (``UP 1/3``, ``MAINT``, ``no check``), ``up`` whether it may take connections as far
    as health and maintenance are concerned. ``check_status`` is the code of the last check, empty before the first;
    ``check_code`` an HTTP status, ``check_info`` the server's or the system's words, escaped.

    ``failures`` counts failed checks, ``inconclusive`` those that failed for a reason of our own. ``downs`` and ``ups``
    count changes of state. ``down_ms`` is the time spent down or in maintenance, ``unchanged_ms`` that since the last
    change, which was at ``changed_time`` (seconds since the epoch). ``warmth`` is the part of its weight that a server
    with ``slowstart`` has by now, None for one without. ``tracks``: its state is that of another server.
    ``stopping``: it is up, but gets no new connections. ``alarms``: how often its connections failed as often in a row
    as ``error-limit`` says.
    """

    backend: str
    server: str
    up: bool
    status: str
    checked: bool
    maintenance: bool
    backup: bool
    weight: int
    check_status: str
    check_code: int | None
    check_info: str
    duration_ms: float
    checks: int
    failures: int
    inconclusive: int
    downs: int
    ups: int
    down_ms: int
    unchanged_ms: int
    changed_time: float
    warmth: float | None = None
    tracks: bool = False
    stopping: bool = False
    alarms: int = 0

    @property
    def transitions(self) -> int:
        return self.downs + self.ups

    @property
    def usable(self) -> bool:
        """May take new connections."""
        return self.up and self.weight > 0 and not self.stopping

    @property
    def active(self) -> bool:
        return not self.backup
