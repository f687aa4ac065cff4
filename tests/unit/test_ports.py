"""Ephemeral ports towards each address: what is counted, for how long, and when the operator hears of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from observed import server_of

from fastlb import host
from fastlb.plan.model import Address, Source
from fastlb.ports import PortsTowards, PortWatch

ONE, OTHER = server_of("one", 1001), server_of("other", 1002)


class Rows:
    """(sessions, closed first so far) by slot."""

    def __init__(self, **rows: tuple[int, int]) -> None:
        self.rows = {int(name[1:]): row for name, row in rows.items()}

    def ports(self, slots: Sequence[int]) -> list[tuple[int, int]]:
        return [self.rows[slot] for slot in slots]


@pytest.fixture(autouse=True)
def kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings of a kernel with 100 ports that keeps every TIME_WAIT."""
    monkeypatch.setattr(host, "ephemeral_ports", lambda: 100)
    monkeypatch.setattr(host, "time_wait_s", lambda loopback: 60.0)


def towards(address: str, in_use: int, source: str = "", limit: int = 100) -> PortsTowards:
    return PortsTowards(address, source, in_use, limit)


def in_use(watch: PortWatch, rows: Rows, now_s: float) -> list[int]:
    return [one.in_use for one in watch.look(rows, [ONE, OTHER], [0, 1], now_s)]


def test_sessions_and_those_that_ended_within_a_minute() -> None:
    watch = PortWatch()
    assert in_use(watch, Rows(s0=(2, 0), s1=(0, 0)), 0.0) == [2, 0]
    assert in_use(watch, Rows(s0=(1, 5), s1=(0, 0)), 1.0) == [6, 0]
    assert in_use(watch, Rows(s0=(1, 7), s1=(3, 0)), 30.0) == [8, 3]
    assert in_use(watch, Rows(s0=(1, 7), s1=(3, 0)), 60.9) == [8, 3]
    assert in_use(watch, Rows(s0=(1, 7), s1=(3, 0)), 61.0) == [3, 3]
    assert in_use(watch, Rows(s0=(0, 7), s1=(3, 0)), 90.0) == [0, 3]


def test_servers_with_one_address_share_its_ports() -> None:
    watch = PortWatch()
    assert watch.look(Rows(s0=(2, 1), s4=(3, 1)), [ONE, ONE], [0, 4], 0.0) == (towards("127.0.0.1:1001", 7),)


def test_each_source_has_ports_of_its_own() -> None:
    watch, here = PortWatch(), Address("inet", "127.0.0.9")
    ranged = replace(ONE, source=Source(replace(here, port=5000), 5009))
    found = watch.look(
        Rows(s0=(1, 1), s1=(2, 0), s2=(3, 2)), [ONE, replace(ONE, source=Source(here)), ranged], [0, 1, 2], 0.0
    )
    assert found == (
        towards("127.0.0.1:1001", 2),
        towards("127.0.0.1:1001", 2, "127.0.0.9"),
        towards("127.0.0.1:1001", 5, "127.0.0.9:5000-5009", 10),
    )
    assert watch.warning(found, 0.0) is None
    found = watch.look(Rows(s2=(5, 5)), [ranged], [2], 1.0)
    text = str(watch.warning(found, 1.0))
    assert "10 of the 10 source ports are in use towards 127.0.0.1:1001 from 127.0.0.9:5000-5009" in text


def test_a_slot_with_a_new_owner_counts_from_nothing() -> None:
    watch = PortWatch()
    in_use(watch, Rows(s0=(0, 50), s1=(0, 0)), 0.0)
    assert in_use(watch, Rows(s0=(0, 4), s1=(0, 0)), 100.0) == [4, 0]


def test_the_warning_comes_at_80_percent_and_once_a_minute() -> None:
    watch = PortWatch()
    assert watch.warning((towards("a:1", 79),), 0.0) is None
    found = (towards("a:1", 3), towards("b:2", 80))
    assert "80 of the 100 ephemeral ports are in use towards b:2" in str(watch.warning(found, 1.0))
    assert watch.warning((towards("b:2", 100),), 60.9) is None
    assert watch.warning((towards("b:2", 100),), 61.0) is not None
    assert watch.warning((), 200.0) is None
