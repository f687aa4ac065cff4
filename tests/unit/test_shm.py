"""Slots by name: what keeps its row, what gets one, what gives it up."""

from dataclasses import replace

import pytest

from fastlb.plan.model import Address, Backend, Balance, Bind, Frontend, Location, Plan, Process, Server
from fastlb.shm import SharedState, Slots, TooManyError

HERE = Location("lb.conf", 1, 1)


def make(frontends=(), **backends):
    """A plan from names: ``make(["www"], ping=["a", "b"])``."""
    servers = [(index, name) for index, names in enumerate(backends.values()) for name in names]
    starts = [sum(len(names) for names in list(backends.values())[:index]) for index in range(len(backends))]
    return Plan(
        Process(),
        (),
        tuple(Frontend(name, -1, HERE) for name in frontends),
        tuple(
            Backend(name, Balance.ROUNDROBIN, start, len(names), HERE)
            for start, (name, names) in zip(starts, backends.items(), strict=True)
        ),
        tuple(Server(name, backend, Address("inet", "127.0.0.1", 1), HERE, maxconn=7) for backend, name in servers),
        (),
        (),
        (),
        "",
    )


def test_names_keep_their_slots_whatever_the_order():
    state = SharedState()
    first = state.install(make(["a", "b"], x=["s", "t"]))
    second = state.install(make(["c", "b", "a"], y=["s"], x=["t", "s"]))
    assert second.frontends == (2, first.frontends[1], first.frontends[0])
    assert second.servers == (2, first.servers[1], first.servers[0])
    assert second.backends == (1, first.backends[0])


def test_slots_of_dead_plans_are_free_again():
    state = SharedState()
    old, new = make(["a"], x=["s"]), make(["b"], x=["t"])
    state.install(old)
    numbers = state.install(new)
    assert numbers.servers == (1,)
    state.collect([(new, numbers)])
    assert state.install(make(["c"], x=["u"])).servers == (0,)


def test_an_address_with_a_limit_counts_under_a_slot_of_its_own():
    state = SharedState()
    bind = Bind("k", 0, Address("inet", "127.0.0.1", 1), HERE, maxconn=5)
    old = replace(make(["a"]), binds=(bind, replace(bind, key="other", maxconn=0)))
    numbers = state.install(old)
    assert (numbers.frontends, numbers.binds) == ((0,), (1, None))
    assert state.install(replace(old, frontends=make(["b", "a"]).frontends)).binds == (1, None)
    new = make(["a"])
    state.collect([(new, state.install(new))])
    assert state.install(make(["a", "c"])).frontends == (0, 1)


def test_busy_slots_stay():
    slots = Slots("things", 4)
    assert slots.reserve(["a", "b"]) == (0, 1)
    assert slots.release(set(), lambda numbers: [number == 1 for number in numbers]) == [1]
    assert slots.reserve(["c", "a"]) == (1, 0)


def test_too_many_takes_nothing():
    slots = Slots("servers", 2)
    with pytest.raises(TooManyError, match="too many servers: this build has room for 2"):
        slots.reserve(["a", "b", "c"])
    assert slots.taken == {}
    assert slots.reserve(["a", "b"]) == (0, 1)
    assert slots.reserve(["b", "b"]) == (1, 1)
