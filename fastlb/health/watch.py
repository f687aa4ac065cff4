"""One server's health, kept by name over reloads. It has one owner, the monitor."""

from __future__ import annotations

import time

from fastlb.health import state
from fastlb.health.model import ServerHealth
from fastlb.health.runner import Job
from fastlb.health.verdict import Outcome, Verdict
from fastlb.logs.text import escape_info
from fastlb.plan.checkmodel import OnError
from fastlb.plan.model import Check, Server

STEPS = 20
_NO_VERDICT = Verdict(Outcome.UNKNOWN, "")


class Watch:
    """``server`` and ``slot`` are those of the plan in force; the rest is what happened so far.

    Another address of the server or of its check, another kind of check, and the end of a maintenance make it a new
    server: it starts again as one that was never checked. ``warm`` is its step of ``slowstart``: STEPS unless it has
    come up a short while ago, at ``warm_since`` (the loop's time). ``root`` is the server at the end of what it tracks:
    then it has no health of its own. ``asks_to_stop``: it goes on with what it has, and wants nothing new.
    ``alarms``: how often connections of clients failed too often.
    """

    __slots__ = (
        "alarms",
        "asks_to_stop",
        "backend",
        "changed_at",
        "changed_time",
        "checks",
        "down_s",
        "downs",
        "duration_s",
        "failures",
        "group",
        "health",
        "inconclusive",
        "job",
        "last",
        "published",
        "root",
        "server",
        "slot",
        "ups",
        "warm",
        "warm_since",
    )

    def __init__(self, backend: str, server: Server, slot: int, now: float) -> None:
        self.backend = backend
        self.server = server
        self.slot = slot
        self.group = server.backend
        self.health = _initial(server.check) if server.check else 0
        self.job: Job | None = None
        self.root: Watch | None = None
        self.asks_to_stop = False
        self.last = _NO_VERDICT
        self.published: tuple[tuple[int, ...], bool, int, bool, int] | None = None
        self.warm = STEPS
        self.duration_s = self.down_s = self.warm_since = 0.0
        self.alarms = self.checks = self.failures = self.inconclusive = self.downs = self.ups = 0
        self.changed_at = now
        self.changed_time = time.time()

    @property
    def up(self) -> bool:
        if self.server.disabled:
            return False
        if self.root is not None:
            return self.root.up
        return self.server.check is None or state.is_up(self.health, self.server.check.rise)

    @property
    def stopping(self) -> bool:
        """Up, but not for new connections."""
        return self.up and (self.asks_to_stop if self.root is None else self.root.stopping)

    @property
    def usable(self) -> bool:
        """May take new connections: counted among the servers that are left."""
        return self.up and self.server.weight > 0 and not self.stopping

    @property
    def standing(self) -> tuple[bool, bool]:
        """What a change of which is told."""
        return (self.up, self.stopping)

    @property
    def wants_checks(self) -> bool:
        return self.server.check is not None and not self.server.disabled

    def adopt(self, server: Server, slot: int) -> bool:
        """Go on under a new plan; ``settle`` follows once all have. True if the server starts anew: a check in flight
        is then worth nothing."""
        old = self.server
        self.server, self.slot, self.group = server, slot, server.backend
        anew = _identity(old) != _identity(server) or (old.disabled and not server.disabled)
        if server.check is not None:
            if anew or old.check is None:
                self.health = _initial(server.check)
            else:
                self.health = state.rescale(self.health, old.check.rise, server.check.rise, server.check.fall)
        if anew:
            self.last, self.duration_s, self.asks_to_stop = _NO_VERDICT, 0.0, False
        return anew

    def turn(self, was: tuple[bool, bool], now: float) -> bool:
        """Account for a change since its standing was that; False if there is none."""
        if self.standing == was:
            return False
        if self.up != was[0]:
            self.downs += not self.up
            self.ups += self.up
        self.settle(was, now)
        return True

    def judge(self, verdict: Verdict, duration_s: float) -> None:
        """Take a verdict in; ``turn`` follows."""
        check = self.server.check
        assert check is not None
        self.checks += 1
        if verdict.outcome is Outcome.UNKNOWN:
            self.inconclusive += 1
            return
        self.failures += verdict.outcome is Outcome.FAIL
        self.last, self.duration_s = verdict, duration_s
        self.take(verdict.outcome)

    def take(self, outcome: Outcome) -> None:
        """What an outcome does to its health."""
        check = self.server.check
        assert check is not None
        if outcome is not Outcome.CONDITIONAL or self.health > 0:
            self.health = state.advance(self.health, check.rise, check.fall, outcome is not Outcome.FAIL)
        if outcome is not Outcome.FAIL or not self.up:
            self.asks_to_stop = self.up and outcome is Outcome.CONDITIONAL

    def suffer(self, how: OnError, verdict: Verdict) -> None:
        """Connections of clients have failed as often as ``error-limit`` says; ``turn`` follows."""
        check = self.server.check
        self.alarms += 1
        if check is None or self.health == 0 or how is OnError.FASTINTER:
            return
        self.failures += 1
        self.last, self.duration_s = verdict, 0.0
        self.health = state.alarmed(self.health, check.rise, how)
        self.take(Outcome.FAIL)

    def settle(self, was: tuple[bool, bool], now: float) -> bool:
        """Account for the time until now. True if its standing has changed."""
        if was == self.standing:
            return False
        self.down_s += 0.0 if was[0] else now - self.changed_at
        self.changed_at = now
        self.changed_time = time.time()
        return True

    def status(self) -> str:
        check = self.server.check
        if self.server.disabled:
            return state.RESOLUTION if self.server.unresolved else state.MAINT
        if self.root is not None:
            status = self.root.status()
            return f"{state.MAINT} (via {self.server.track})" if status.startswith(state.MAINT) else status
        return state.NO_CHECK if check is None else state.status(self.health, check.rise, check.fall, self.asks_to_stop)

    def describe(self, now: float) -> ServerHealth:
        unchanged_s = now - self.changed_at
        up = self.up
        return ServerHealth(
            backend=self.backend,
            server=self.server.name,
            up=up,
            stopping=self.stopping,
            status=self.status(),
            checked=self.server.check is not None,
            maintenance=self.server.disabled or (self.root is not None and self.root.server.disabled),
            tracks=self.root is not None,
            backup=self.server.backup,
            weight=self.server.weight,
            check_status=self.last.status,
            check_code=self.last.code,
            check_info=escape_info(self.last.info),
            duration_ms=self.duration_s * 1000,
            checks=self.checks,
            alarms=self.alarms,
            failures=self.failures,
            inconclusive=self.inconclusive,
            downs=self.downs,
            ups=self.ups,
            down_ms=int((self.down_s + (0.0 if up else unchanged_s)) * 1000),
            unchanged_ms=int(unchanged_s * 1000),
            changed_time=self.changed_time,
            warmth=min(self.warm + 1, STEPS) / STEPS if self.server.slowstart_ms else None,
        )


def _initial(check: Check) -> int:
    return state.initial(check.rise, check.fall, check.init_state)


def _identity(server: Server) -> tuple[object, ...]:
    check = server.check
    return (server.address, check and check.kind, check and check.address)
