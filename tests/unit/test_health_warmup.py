"""``slowstart``: the arithmetic of steps, and what the monitor publishes while a server warms up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from observed import check_of, plan_of, server_of, until
from test_health_monitor import Observed, Port, observe

from fastlb._engine import Shm
from fastlb.health.warmup import MAX_TURNS, MIN_STEP_S, next_step_s, step_of, warm_limit, warm_weights
from fastlb.health.watch import STEPS
from fastlb.plan.model import Balance


def test_steps_follow_the_time_and_end_with_it() -> None:
    assert [step_of(elapsed, 10.0) for elapsed in (0, 0.49, 0.5, 5, 9.9, 10, 11)] == [0, 0, 1, 10, 19, 20, 20]
    assert step_of(0.0, 0.0) == STEPS


@pytest.mark.parametrize("duration", [0.1, 1.0, 30.0, 3600.0])
def test_steps_are_neither_too_many_nor_too_late(duration: float) -> None:
    elapsed, steps = 0.0, [0]
    while steps[-1] < STEPS:
        wait = next_step_s(elapsed, duration)
        assert wait >= min(MIN_STEP_S, duration - elapsed)
        elapsed += wait
        steps.append(step_of(elapsed, duration))
    assert elapsed <= duration + 0.01
    assert steps == sorted(steps)
    assert len(steps) <= min(STEPS, duration / MIN_STEP_S + 1) + 3


def test_a_limit_grows_from_one_to_all() -> None:
    assert [warm_limit(100, step) for step in (0, 1, 10, STEPS)] == [1, 5, 50, 100]
    assert warm_limit(0, 0) == 0, "no limit stays none"


def test_weights_grow_from_a_twentieth() -> None:
    warm = STEPS
    assert warm_weights([5, 10], [warm, warm]) == [5, 10]
    assert warm_weights([1, 1], [warm, 0]) == [20, 1]
    assert warm_weights([10, 20, 0], [warm, 9, warm]) == [20, 20, 0]
    assert warm_weights([1, 1], [warm, STEPS - 1]) == [20, 20]


def test_many_heavy_servers_have_coarse_shares() -> None:
    weights = [256, 255] * 4096
    warming = warm_weights(weights, [0] + [STEPS] * 8191)
    assert warming[:3] == [13, 255, 256]
    assert sum(weights) * STEPS > MAX_TURNS


SLOW = {"slowstart_ms": 60_000}


@pytest.mark.parametrize(
    ("balance", "share"),
    [
        (Balance.ROUNDROBIN, 20),
        (Balance.RANDOM, 20),
        (Balance.LEASTCONN, 20),
        (Balance.STATIC_RR, 1),
        (Balance.SOURCE, 1),
    ],
)
def test_a_server_that_comes_back_begins_with_little(balance: Balance, share: int) -> None:
    """Where the algorithm is dynamic; nobody warms up at the start."""

    async def scenario(observed: Observed) -> None:
        async with Port() as a, Port() as b:
            servers = [
                server_of("a", a.number, check_of(a.number), **SLOW),
                server_of("b", b.number, check_of(b.number), **SLOW),
            ]
            observed.install(plan_of(servers, balance=balance))
            assert sorted(observed.scheduled()) == ["a", "b"]
            assert observed.health("a").warmth == 1
            await b.close()
            await until(lambda: observed.scheduled() == ["a"])
            await b.open()
            await until(lambda: "b" in observed.scheduled())
            assert sorted(observed.scheduled()) == ["a"] * share + ["b"]
            assert observed.health("b").warmth == 1 / STEPS
            await b.close()
            await until(lambda: observed.scheduled() == ["a"])

    observe(scenario)


def test_warming_up_ends_and_leaves_plain_weights() -> None:
    async def scenario(observed: Observed) -> None:
        async with Port() as a:
            slow = server_of("a", a.number, check_of(a.number), slowstart_ms=600)
            observed.install(plan_of([slow, server_of("b", 1)]))
            await a.close()
            await until(lambda: observed.scheduled() == ["b"])
            await a.open()
            await until(lambda: len(observed.scheduled()) > 2)
            kicks = observed.kicks
            await until(lambda: sorted(observed.scheduled()) == ["a", "b"])
            assert observed.health("a").warmth == 1
            assert observed.kicks > kicks, "whoever waits for a higher maxconn looks again"

    observe(scenario)


def test_servers_that_a_reload_adds_warm_up_where_they_say_so() -> None:
    async def scenario(observed: Observed) -> None:
        old = server_of("old", 1)
        new = server_of("new", 2, slowstart_new=True, **SLOW)
        plain = server_of("plain", 3, **SLOW)
        observed.install(plan_of([old]))
        observed.install(plan_of([old, new, plain]))
        assert sorted(observed.scheduled()) == ["new"] + ["old"] * 20 + ["plain"] * 20
        observed.install(plan_of([old, replace(new, slowstart_ms=0), plain]))
        assert sorted(observed.scheduled()) == ["new", "old", "plain"]
        observed.install(plan_of([old, replace(new, disabled=True), replace(plain, disabled=True)]))
        observed.install(plan_of([old, new, plain]))
        assert sorted(observed.scheduled()) == ["new"] + ["old"] * 20 + ["plain"], "they come out of maintenance"

    observe(scenario)


class Limits:
    """The shared memory, with an eye on the limits of servers."""

    def __init__(self, view: Shm) -> None:
        self.view = view
        self.said: list[int] = []

    def __getattr__(self, name: str) -> Callable[..., object]:
        return getattr(self.view, name)

    def set_server_limit(self, slot: int, maxconn: int, minconn: int, maxqueue: int) -> None:
        self.said.append(maxconn)
        self.view.set_server_limit(slot, maxconn, minconn, maxqueue)


def test_the_limit_grows_too_and_a_reload_does_not_lift_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(observed: Observed) -> None:
        limits = Limits(observed.shared.view)
        monkeypatch.setattr(observed.monitor, "_view", limits)
        async with Port() as a:
            plan = plan_of([server_of("a", a.number, check_of(a.number), slowstart_ms=1000, maxconn=40)])
            observed.install(plan)
            assert limits.said == [40]
            await a.close()
            await until(lambda: not observed.health("a").up)
            await a.open()
            await until(lambda: observed.health("a").up)
            observed.install(plan)
            assert 1 <= limits.said[-1] < 40
            await until(lambda: limits.said[-1] == 40)
            growing = limits.said[limits.said.index(1) :]
            assert growing == sorted(growing)

    observe(scenario)


class Shown(Limits):
    """The same with an eye on the weights that rules see."""

    def set_server_limit(self, slot: int, maxconn: int, minconn: int, maxqueue: int) -> None:
        self.view.set_server_limit(slot, maxconn, minconn, maxqueue)

    def set_server_state(self, slot: int, usable: bool, weight: int, up: bool = False, shown: int = 0) -> None:
        self.said.append(shown)
        self.view.set_server_state(slot, usable, weight, up, shown)


@pytest.mark.parametrize(("balance", "least"), [(Balance.ROUNDROBIN, 2), (Balance.STATIC_RR, 40)])
def test_rules_see_the_weight_grow_in_the_measure_of_the_file(
    balance: Balance, least: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(observed: Observed) -> None:
        shown = Shown(observed.shared.view)
        monkeypatch.setattr(observed.monitor, "_view", shown)
        async with Port() as a:
            server = server_of("a", a.number, check_of(a.number), slowstart_ms=600, weight=40)
            observed.install(plan_of([server], balance=balance))
            assert shown.said == [40]
            await a.close()
            await until(lambda: not observed.health("a").up)
            await a.open()
            await until(lambda: observed.health("a").up)
            await until(lambda: observed.health("a").warmth == 1)
            assert (min(shown.said), shown.said[-1]) == (least, 40)

    observe(scenario)
