"""HAProxy's log lines about servers, byte for byte. Levels are syslog's."""

from __future__ import annotations

from dataclasses import dataclass

from fastlb.health.verdict import DESCRIPTIONS, Outcome, Verdict
from fastlb.logs.text import escape_info

DOWN_LEVEL = 1
UP_LEVEL = 5
CHECK_LEVEL = 5
NO_SERVER_LEVEL = 0

_WITH_CODE = frozenset({"L7OK", "L7OKC", "L7STS"})


@dataclass(frozen=True, slots=True)
class Remaining:
    """Who is left in the backend after the change, and what hangs on the server that changed."""

    actives: int
    backups: int
    sessions: int
    queued: int


def reason(verdict: Verdict, duration_s: float | None) -> str:
    """``Layer4 connection problem, info: "…", check duration: 0ms``. Without a duration no check was made."""
    parts = [DESCRIPTIONS[verdict.status]]
    if verdict.status in _WITH_CODE:
        parts.append(f"code: {verdict.code or 0}")
    if verdict.info:
        parts.append(f'info: "{escape_info(verdict.info)}"')
    if duration_s is not None:
        parts.append(f"check duration: {duration_s * 1000:.0f}ms")
    return ", ".join(parts)


def _title(backend: str, server: str, backup: bool) -> str:
    return f"{'Backup ' if backup else ''}Server {backend}/{server}"


def _running_on_backup(left: Remaining) -> str:
    return " Running on backup." if left.backups and not left.actives else ""


def because(why: str) -> str:
    """How a change of state came about: by a check."""
    return f", reason: {why}"


def via(tracked: str) -> str:
    """How a change of state came about: by that of the server that is tracked, ``backend/server``."""
    return f" via {tracked}"


_RESULTS = {Outcome.PASS: "succeeded", Outcome.CONDITIONAL: "conditionally succeeded", Outcome.FAIL: "failed"}


def check_result(backend: str, server: str, backup: bool, outcome: Outcome, why: str, status: str) -> str:
    """``option log-health-checks``. ``status`` is that of ``state.credit``."""
    kind = "backup server" if backup else "server"
    return f"Health check for {kind} {backend}/{server} {_RESULTS[outcome]}, reason: {why}, status: {status}."


def server_down(backend: str, server: str, backup: bool, how: str, left: Remaining) -> str:
    """What waits for the server goes back to the backend's queue at once, so none of it remains in the server's."""
    return (
        f"{_title(backend, server, backup)} is DOWN{how}. "
        f"{left.actives} active and {left.backups} backup servers left.{_running_on_backup(left)} "
        f"{left.sessions} sessions active, {left.queued} requeued, 0 remaining in queue."
    )


def server_up(backend: str, server: str, backup: bool, how: str, left: Remaining) -> str:
    return _online(f"{_title(backend, server, backup)} is UP{how}. ", left)


def server_stopping(backend: str, server: str, backup: bool, how: str, left: Remaining) -> str:
    return _online(f"{_title(backend, server, backup)} is stopping{how}. ", left)


def _online(beginning: str, left: Remaining) -> str:
    return (
        f"{beginning}"
        f"{left.actives} active and {left.backups} backup servers online.{_running_on_backup(left)} "
        f"0 sessions requeued, {left.queued} total in queue."
    )


def no_server(backend: str, is_listen: bool) -> str:
    return f"{'proxy' if is_listen else 'backend'} {backend} has no server available!"
