"""The master's view of every server: runs the checks, publishes states and schedules, writes the log lines.

It runs on the master's event loop, without threads and without resolving names. Only this process writes states and
schedules; workers report what they see through their counters.
"""

from __future__ import annotations

import asyncio
import functools
import random
import time
from collections.abc import Callable, Sequence

from fastlb._engine import BACKEND_FIELDS, CUT_SERVER_DOWN, CUT_SERVER_UP, SERVER_FIELDS, Shm, forget_errors
from fastlb.health import messages, state
from fastlb.health.follow import link
from fastlb.health.group import Group
from fastlb.health.http import About
from fastlb.health.model import ServerHealth
from fastlb.health.passive import Alarms, verdict_of
from fastlb.health.runner import Job, Runner
from fastlb.health.serverstate import Loads, header_value
from fastlb.health.timing import pause_s, start_offsets_s
from fastlb.health.verdict import Outcome, Verdict
from fastlb.health.warmup import Warmups, warm_limit
from fastlb.health.watch import Watch
from fastlb.plan.model import Plan
from fastlb.shm import Numbering

Message = Callable[[int, str, int], None]
"""``(level, text, index of the backend in the plan in force)``; ``Logs.proxy_message`` is one."""

Stood = tuple[Watch, tuple[bool, bool], bool]
"""How a server stood before a change: ``(watch, standing, whether it was usable)``."""

_WARNING = 4
_WARNING_INTERVAL_S = 1.0
_PUBLISH_DELAY_S = 0.01
_SESSIONS = SERVER_FIELDS.index("sessions")
_QUEUED = SERVER_FIELDS.index("queued")
_BACKEND_SESSIONS = BACKEND_FIELDS.index("sessions")
_BACKEND_QUEUED = BACKEND_FIELDS.index("queued")


class HealthMonitor:
    """``kick`` wakes the workers after states or schedules have changed. Needs a running loop."""

    def __init__(self, view: Shm, message: Message, kick: Callable[[], None]) -> None:
        self._view = view
        self._message = message
        self._kick = kick
        self._runner = Runner()
        self._warmups = Warmups(self._stepped)
        self._watches: dict[tuple[str, str], Watch] = {}
        self._groups: tuple[Group, ...] = ()
        self._ordered: tuple[Watch, ...] = ()
        self._dirty: dict[int, Group] = {}
        self._turned: list[Watch] = []
        self._followers: dict[Watch, tuple[Watch, ...]] = {}
        self._alarms = Alarms(view)
        self._spread_percent = 0
        self._max_spread_ms = 0
        self._node = ""
        self._unwarned = 0
        self._warned_at = float("-inf")

    def install(self, plan: Plan, numbering: Numbering) -> None:
        """Take a plan into force. When this returns, the limits, states and schedules of all its servers are
        published."""
        now = time.monotonic()
        self._spread_percent = plan.process.spread_checks
        self._max_spread_ms = plan.process.max_spread_checks_ms
        self._node = plan.process.node
        previous = self._watches
        was = {watch: watch.standing for watch in previous.values()}
        anew: list[Watch] = []
        self._watches = {}
        for server, slot in zip(plan.servers, numbering.servers, strict=True):
            name = plan.backends[server.backend].name
            known = previous.pop((name, server.name), None)
            self._watches[name, server.name] = self._adopt(known, Watch(name, server, slot, now), anew)
        self._followers = link(tuple(self._watches.values()))
        self._turned = [watch for watch in self._turned if watch in self._watches.values()]
        self._settle(was, anew if self._groups else [], now)
        self._retire(previous, {backend.name for backend in plan.backends})
        self._regroup(plan, numbering)
        self._alarms.observe(self._watches.values())
        self._dirty = dict(enumerate(self._groups))
        self._publish()
        self._start(now)

    def servers(self, now_s: float) -> tuple[ServerHealth, ...]:
        """The health of every server at that time (CLOCK_MONOTONIC), in the order of the plan in force."""
        return tuple(watch.describe(now_s) for watch in self._watches.values())

    def usable_servers(self, backend: int) -> int:
        """How many servers of the backend, by its index in the plan in force, take connections now: HAProxy's nbsrv."""
        group = self._groups[backend]
        return group.actives or (group.backups if group.backend.allbackups else min(group.backups, 1))

    def is_up(self, server: int) -> bool:
        """Whether the server of that index in the plan in force is neither down nor in maintenance."""
        return self._ordered[server].up

    def close(self) -> None:
        self._runner.close()
        self._warmups.close()
        self._watches.clear()
        self._groups = ()
        self._dirty.clear()

    def _adopt(self, known: Watch | None, fresh: Watch, anew: list[Watch]) -> Watch:
        """The watch of a server under the new plan; in ``anew``, too, if it is new or starts as new."""
        if known is None:
            anew.append(fresh)
            return fresh
        is_anew = known.adopt(fresh.server, fresh.slot)
        self._warmups.renew(known)
        if known.job is not None and (is_anew or not known.wants_checks):
            self._runner.cancel(known.job)
            known.job = None
        if is_anew:
            anew.append(known)
        return known

    def _settle(self, was: dict[Watch, tuple[bool, bool]], anew: list[Watch], now: float) -> None:
        """What the plan has turned over, and which of the new ones warm up."""
        for watch in anew:
            if watch.up and watch.server.slowstart_new:
                self._warmups.begin(watch)
        for watch in self._watches.values():
            if watch in was and watch.settle(was[watch], now):
                self._turn(watch)

    def _retire(self, gone: dict[tuple[str, str], Watch], backends: set[str]) -> None:
        """Servers that left the plan. One whose backend stays takes no connection of older sessions either; a backend
        that left as a whole keeps its states, because its last sessions end under the plan they began with."""
        for watch in gone.values():
            if watch.job is not None:
                self._runner.cancel(watch.job)
            self._warmups.end(watch)
            if watch.backend in backends:
                self._view.set_server_state(watch.slot, False, 0)

    def _regroup(self, plan: Plan, numbering: Numbering) -> None:
        published = {(group.backend.name, group.slot): group.published for group in self._groups}
        self._ordered = watches = tuple(self._watches.values())
        self._groups = tuple(
            Group(
                backend,
                index,
                numbering.backends[index],
                watches[backend.first_server : backend.first_server + backend.server_count],
                published.get((backend.name, numbering.backends[index])),
            )
            for index, backend in enumerate(plan.backends)
        )

    def _start(self, now: float) -> None:
        """Set the first check of those that have none yet, spread; and bring forward what a shorter interval asks."""
        fresh: list[tuple[Watch, Job]] = []
        for watch in self._watches.values():
            check = watch.server.check
            if check is None or not watch.wants_checks:
                continue
            if watch.job is None:
                watch.job = Job(check, functools.partial(self._concluded, watch), functools.partial(self._about, watch))
                fresh.append((watch, watch.job))
            elif watch.job.check != check:
                watch.job.check = check
                self._runner.schedule(watch.job, min(watch.job.due, now + self._pause_s(watch)))
        offsets = start_offsets_s([job.check for _, job in fresh], self._max_spread_ms)
        for (_, job), offset in zip(fresh, offsets, strict=True):
            self._runner.schedule(job, now + offset)

    def _pause_s(self, watch: Watch) -> float:
        check = watch.server.check
        assert check is not None
        return pause_s(check, watch.health, self._spread_percent, random.random())

    def _concluded(self, watch: Watch, verdict: Verdict, duration_s: float) -> float:
        """The runner's news of one check; returns the pause before the next."""
        before = (watch.last.status, watch.health)
        was = self._standings(watch)
        watch.judge(verdict, duration_s)
        self._tell(watch, before, was, messages.reason(verdict, duration_s))
        if verdict.outcome is Outcome.UNKNOWN:
            self._warn(watch, verdict)
        elif watch.server.check and watch.server.check.observe and verdict.outcome is not Outcome.FAIL:
            forget_errors(self._view, watch.slot)
        return self._pause_s(watch)

    def look_at_traffic(self) -> None:
        """A worker has called: connections to servers with ``observe`` may have failed."""
        for watch, times in self._alarms.new():
            for _ in range(times):
                self._alarmed(watch)

    def _alarmed(self, watch: Watch) -> None:
        check = watch.server.check
        if check is None or check.observe is None or watch.job is None:
            return
        verdict = verdict_of(check.observe)
        before = (watch.last.status, watch.health)
        was = self._standings(watch)
        watch.suffer(check.observe.on_error, verdict)
        self._tell(watch, before, was, messages.reason(verdict, None))
        self._runner.schedule(watch.job, min(watch.job.due, time.monotonic() + check.fastinter_ms / 1000))

    def _tell(self, watch: Watch, before: tuple[str, int], was: list[Stood], why: str) -> None:
        """What has become of the server, which was seen that way ``before``, and of those who follow it."""
        if self._groups[watch.group].backend.log_health_checks:
            if before != (watch.last.status, watch.health):
                self._log_check(watch, why)
            why = ""  # it has just been said
        self._turned_by(was, messages.because(why) if why else "")

    def _standings(self, watch: Watch) -> list[Stood]:
        """The server and its followers as they stand before a change."""
        return [(one, one.standing, one.usable) for one in (watch, *self._followers.get(watch, ()))]

    def _turned_by(self, was: list[Stood], how: str) -> None:
        """What has happened to the first of them may have changed them all."""
        now = time.monotonic()
        for watch, standing, was_usable in was:
            if watch.turn(standing, now):
                self._changed(watch, was_usable, how if watch is was[0][0] else messages.via(watch.server.track or ""))

    def _about(self, watch: Watch) -> About:
        """What the server itself may be told by a check."""
        check = watch.server.check
        if check is None or not check.send_state:
            return About(watch.up)
        group = self._groups[watch.group]
        server = self._view.servers([watch.slot])[0]
        backend = self._view.backends([group.slot])[0]
        loads = Loads(server[_SESSIONS], backend[_BACKEND_SESSIONS] - backend[_BACKEND_QUEUED], server[_QUEUED])
        return About(watch.up, header_value(watch, *group.shown_weights(watch), self._node, loads))

    def _log_check(self, watch: Watch, why: str) -> None:
        server, check = watch.server, watch.server.check
        assert check is not None
        status = state.credit(watch.health, check.rise, check.fall, server.weight)
        text = messages.check_result(watch.backend, server.name, server.backup, watch.last.outcome, why, status)
        self._message(messages.CHECK_LEVEL, text, watch.group)

    def _changed(self, watch: Watch, was_usable: bool, how: str) -> None:
        group = self._groups[watch.group]
        had_any = group.actives + group.backups > 0
        group.count(watch, was_usable)
        self._turn(watch)
        self._publish_state(watch, watch.published[2] if watch.published else 0)  # the weight follows, with the others'
        self._announce(group, watch, how)
        if had_any and group.actives + group.backups == 0:
            text = messages.no_server(watch.backend, group.backend.is_listen)
            self._message(messages.NO_SERVER_LEVEL, text, group.index)
        self._publish_later(group)

    def _turn(self, watch: Watch) -> None:
        """The server has gone up or down."""
        self._turned.append(watch)
        if watch.up and not watch.stopping:
            self._warmups.begin(watch)
        else:
            self._warmups.end(watch)

    def _stepped(self, watch: Watch) -> None:
        """The server has warmed up a little."""
        self._dirty[watch.group] = self._groups[watch.group]
        self._publish()

    def _publish_later(self, group: Group) -> None:
        """Workers see the server's state at once, and pass over those that are down. So the schedule may follow a
        little later, one for many changes when a rack fails; unless backups may have to take over, or step back."""
        loop = asyncio.get_running_loop()
        if group.actives <= 1:
            loop.call_soon(self._publish)
        elif not self._dirty:
            loop.call_later(_PUBLISH_DELAY_S, self._publish)
        self._dirty[group.index] = group

    def _announce(self, group: Group, watch: Watch, how: str) -> None:
        row = self._view.servers([watch.slot])[0]
        left = messages.Remaining(group.actives, group.backups, row[_SESSIONS], row[_QUEUED])
        tell = messages.server_stopping if watch.stopping else messages.server_up if watch.up else messages.server_down
        line = tell(watch.backend, watch.server.name, watch.server.backup, how, left)
        self._message(messages.UP_LEVEL if watch.up else messages.DOWN_LEVEL, line, group.index)

    def _warn(self, watch: Watch, verdict: Verdict) -> None:
        """A check that failed for a reason of our own: at most one warning a second for all servers together."""
        self._unwarned += 1
        now = time.monotonic()
        if now - self._warned_at < _WARNING_INTERVAL_S:
            return
        more = f" ({self._unwarned - 1} more checks since the last such warning)" if self._unwarned > 1 else ""
        text = f"Health check of {watch.backend}/{watch.server.name} says nothing, state kept: {verdict.info}{more}"
        self._message(_WARNING, text, watch.group)
        self._warned_at, self._unwarned = now, 0

    def _publish_state(self, watch: Watch, weight: int) -> None:
        server = watch.server
        maxconn, minconn = warm_limit(server.maxconn, watch.warm), warm_limit(server.minconn, watch.warm)
        limits = (watch.slot, maxconn, minconn if minconn < maxconn else 0, server.maxqueue)
        publication = (limits, watch.usable, weight, watch.up, self._groups[watch.group].weight_of(watch))
        if publication != watch.published:
            self._view.set_server_limit(*limits)
            self._view.set_server_state(watch.slot, *publication[1:])
            watch.published = publication

    def _publish(self) -> None:
        """Publish the schedules of the backends that changed, end sessions that must, and wake the workers."""
        dirty: Sequence[Group] = tuple(self._dirty.values())
        self._dirty = {}
        for group in dirty:
            for watch, weight in zip(group.watches, group.weights(), strict=True):
                self._publish_state(watch, weight)
            schedule = group.schedule()
            if schedule != group.published:
                self._view.publish_schedule(group.slot, *schedule)
                group.published = schedule
        self._cut()
        if dirty:
            self._kick()

    def _cut(self) -> None:
        """After the schedules: whoever comes while sessions end must not get a server whose sessions do."""
        turned, self._turned = self._turned, []
        down = [watch.slot for watch in turned if watch.server.shutdown_when_down and not watch.up]
        up = [slot for watch in turned if watch.usable for slot in self._groups[watch.group].relieved_by(watch)]
        if down:
            self._view.cut_sessions(down, CUT_SERVER_DOWN)
        if up:
            self._view.cut_sessions(up, CUT_SERVER_UP)
