"""Passive checks in the monitor: what alarms of the workers do to a server. The lines are those of HAProxy 2.6."""

from __future__ import annotations

from dataclasses import replace

import pytest
from observed import check_of, plan_of, server_of, until
from test_health_monitor import Observed, Port, observe

from fastlb.plan.checkmodel import Observe, OnError


class Workers:
    """What the workers would have counted, per slot."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.counts: dict[int, int] = {}
        self.forgotten = 0
        monkeypatch.setattr("fastlb.health.passive.alarms", lambda view: sum(self.counts.values()))
        monkeypatch.setattr(
            "fastlb.health.passive.server_alarms", lambda view, slots: [self.counts.get(slot, 0) for slot in slots]
        )
        monkeypatch.setattr("fastlb.health.monitor.forget_errors", self._forget)

    def _forget(self, view: object, slot: int) -> None:
        self.forgotten += 1

    def alarm(self, observed: Observed, times: int = 1) -> None:
        slot = observed.numbering.servers[0]
        self.counts[slot] = self.counts.get(slot, 0) + times
        observed.monitor.look_at_traffic()


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch) -> Workers:
    return Workers(monkeypatch)


def watched(port: int, how: OnError, **changes: object):
    """A server that has passed its first check, and whose next one is far away."""
    times = {"inter_ms": 60000, "fastinter_ms": 60000, "downinter_ms": 60000, **changes}
    return server_of("a", port, check_of(port, observe=Observe(3, how), **times))


STATES = [
    (OnError.FAIL_CHECK, ["UP 2/3", "UP 1/3", "DOWN", "DOWN"]),
    (OnError.SUDDEN_DEATH, ["UP 1/3", "DOWN", "DOWN"]),
    (OnError.MARK_DOWN, ["DOWN", "DOWN"]),
    (OnError.FASTINTER, ["UP", "UP"]),
]


@pytest.mark.parametrize(("how", "states"), STATES, ids=[how.value for how, _ in STATES])
def test_what_alarms_do(workers: Workers, how: OnError, states: list[str]) -> None:
    async def scenario(observed: Observed) -> None:
        async with Port() as port:
            observed.install(plan_of([watched(port.number, how), server_of("b", 1)]))
            await until(lambda: observed.health("a").status == "UP")
            assert workers.forgotten == 1
            seen = []
            for _ in states:
                workers.alarm(observed)
                seen.append(observed.health("a").status)
            assert seen == states
            assert observed.health("a").alarms == len(states)
            hana = how is not OnError.FASTINTER
            assert observed.health("a").check_status == ("HANA" if hana else "L4OK")
            await until(lambda: observed.scheduled() == (["b"] if hana else ["a", "b"]))

    said = [text for _, text, _ in observe(scenario).said]
    down = (
        'Server be0/a is DOWN, reason: Health analyze, info: "Detected 3 consecutive errors, last one was: '
        'L4 unsuccessful connection". 1 active and 0 backup servers left. '
        "0 sessions active, 0 requeued, 0 remaining in queue."
    )
    assert said == ([down] if "DOWN" in states else [])


def test_the_next_check_comes_sooner(workers: Workers) -> None:
    async def scenario(observed: Observed) -> None:
        async with Port() as port:
            observed.install(plan_of([watched(port.number, OnError.FASTINTER, fastinter_ms=20)]))
            await until(lambda: observed.health("a").checks == 1)
            workers.alarm(observed)
            await until(lambda: observed.health("a").checks == 2)

    observe(scenario)


def test_many_alarms_at_one_look_are_all_counted(workers: Workers) -> None:
    async def scenario(observed: Observed) -> None:
        async with Port() as port:
            observed.install(plan_of([watched(port.number, OnError.FAIL_CHECK)]))
            await until(lambda: observed.health("a").status == "UP")
            workers.alarm(observed, times=2)
            assert observed.health("a").status == "UP 1/3"
            observed.install(plan_of([watched(port.number, OnError.MARK_DOWN)]))
            observed.monitor.look_at_traffic()
            assert observed.health("a").status == "UP 1/3"
            workers.alarm(observed)
            assert observed.health("a").status == "DOWN"

    observe(scenario)


def test_alarms_of_a_server_in_maintenance_do_nothing(workers: Workers) -> None:
    async def scenario(observed: Observed) -> None:
        server = watched(1, OnError.MARK_DOWN)
        observed.install(plan_of([replace(server, disabled=True)]))
        workers.alarm(observed)
        assert observed.health("a").status == "MAINT"

    assert observe(scenario).said == []
