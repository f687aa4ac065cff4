"""Stick tables: keys, counters, room, and what a worker leaves that is killed in the middle of a change."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from engine_tables import Stage, frontend, plan_of

from fastlb import _engine

Make = Callable[[str], Stage]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Make]:
    made: list[Stage] = []

    def make(text: str) -> Stage:
        made.append(Stage(plan_of(tmp_path, text)))
        return made[-1]

    yield make
    for one in made:
        one.close()


def key(address: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


def judge(engine: _engine.Engine, source: str, data: bytes = b"", port: int = 1) -> tuple[bool, str, int]:
    return _engine.judge(engine, 0, source, port, data)[:3]


# ---- what a rule sees ------------------------------------------------------------------------------------------------


def test_a_connection_is_counted_before_the_next_rule_and_given_back_at_its_end(stage: Make) -> None:
    here = stage(frontend(
        "stick-table type ip size 10 store conn_cur,conn_cnt,conn_rate(1m),sess_cnt,gpc0,gpc0_rate(1m)",
        "tcp-request connection track-sc0 src",
        "tcp-request connection track-sc0 src_port table other",
        "tcp-request connection sc-inc-gpc0(0) if { src_port 7 }",
        "acl few sc0_conn_rate le 3",
        "tcp-request connection accept if { sc0_conn_cur 1 } { sc0_conn_cnt le 3 } few !{ sc1_tracked }",
        "tcp-request connection reject",
        others="backend other\n stick-table type integer size 10 store conn_cnt\n",
    ))  # fmt: skip
    engine = here.engine()
    assert [judge(engine, "10.0.0.1")[0] for _ in range(4)] == [True, True, True, False]
    assert judge(engine, "10.0.0.2", port=7)[0]
    other, own = here.plan.tables.index(next(t for t in here.plan.tables if t.name == "other")), 1
    entries = here.entries(own)
    assert {one: (trackers, words[:2]) for one, (trackers, words) in entries.items()} == {
        key("10.0.0.1"): (0, (4, 0)), key("10.0.0.2"): (0, (1, 0)),
    }  # fmt: skip
    # The layout follows the numbers of the data: conn_cnt, conn_cur, conn_rate, sess_cnt, gpc0, gpc0_rate.
    assert entries[key("10.0.0.2")][1][6] == 1
    assert entries[key("10.0.0.2")][1][8] == 1
    assert here.entries(other) == {}, "the first one to track something counts"


@pytest.mark.parametrize(
    ("kind", "sample", "source", "wanted"),
    [
        ("ip", "src", "10.0.0.1", key("10.0.0.1")),
        ("ip", "src", "::ffff:10.0.0.1", key("10.0.0.1")),
        ("ip", "src", "2001:db8::1", None),
        ("ipv6", "src", "10.0.0.1", key("::ffff:10.0.0.1")),
        ("ipv6", "src", "2001:db8::1", key("2001:db8::1")),
        ("integer", "src_port", "::1", (1).to_bytes(4, "little")),
        ("integer", "src", "0.0.1.2", (258).to_bytes(4, "little")),
        ("string", "src", "10.0.0.1", b"10.0.0.1"),
        ("string len 4", "src", "10.0.0.1", b"10.0"),
        ("string", "src_port", "::1", b"1"),
        ("string", "req.payload(0,4)", "::1", b"10.7"),
        ("binary len 6", "req.payload(0,4)", "::1", b"10.7\0\0"),
        ("binary len 2", "req.payload(0,4)", "::1", b"10"),
        ("binary len 4", "src", "10.0.0.1", key("10.0.0.1")),
    ],
)
def test_keys(stage: Make, kind: str, sample: str, source: str, wanted: bytes | None) -> None:
    rule = f"tcp-request content track-sc0 {sample}"
    here = stage(frontend(f"stick-table type {kind} size 10", "tcp-request inspect-delay 1s", rule))
    judge(here.engine(), source, b"10.7.7.7")
    assert list(here.entries()) == ([] if wanted is None else [wanted])


def test_text_that_is_an_address_is_one(stage: Make, tmp_path: Path) -> None:
    (tmp_path / "map").write_text("a 10.0.0.9\nb x\n")
    rule = f"tcp-request content track-sc0 req.payload(0,1),map({tmp_path}/map)"
    here = stage(frontend("stick-table type ip size 10", "tcp-request inspect-delay 1s", rule))
    engine = here.engine()
    for data in (b"a", b"b", b"c"):
        judge(engine, "::1", data)
    assert list(here.entries()) == [key("10.0.0.9")]


def test_what_samples_and_converters_say(stage: Make) -> None:
    here = stage(frontend(
        "stick-table type ip size 10 store conn_cnt,gpc(3),gpc_rate(3,1m),gpt(2)",
        "tcp-request connection track-sc2 src if { src 10.0.0.0/8 }",
        "tcp-request connection sc-inc-gpc(1,2)",
        "tcp-request connection sc-add-gpc(2,2) 40",
        "tcp-request connection sc-add-gpc(2,2) src_port",
        "tcp-request connection sc-set-gpt(1,2) src_port",
        "tcp-request connection sc-set-gpt0(2) 99",
        "acl a sc_get_gpc(1,2) eq 1",
        "acl a sc2_get_gpc1 eq 1",
        "acl b sc_get_gpc(2,2) eq 45",
        "acl c sc_get_gpt(1,2) eq 5",
        "acl d src_get_gpt0 eq 99",
        "acl e sc_gpc_rate(2,2) eq 45",
        "acl f src,table_gpc(1,f) eq 1",
        "acl g table_cnt eq 1",
        "acl h table_avl(f) eq 9",
        "acl i src,in_table(f)",
        "acl j sc2_trackers eq 1",
        "acl k dst,table_gpc(1,f) eq 0",
        "acl no sc2_conn_cur ge 0",  # not stored
        "acl no src,table_sess_cnt(f) ge 0",
        "acl no sc0_conn_cnt ge 0",  # not tracked
        "acl no sc_tracked(1)",
        "acl no sc_get_gpc(3,2) ge 0",  # there are three
        "acl no src_bytes_in_rate ge 0",
        "tcp-request connection accept if a b c d e f g h i j !no",
        "tcp-request connection reject",
    ))  # fmt: skip
    engine = here.engine()
    assert judge(engine, "10.0.0.1", port=5)[0]
    assert not judge(engine, "192.0.2.1", port=5)[0]


def test_increments_by_samples(stage: Make) -> None:
    here = stage(frontend(
        "stick-table type ip size 10 store gpc0,conn_cnt",
        "tcp-request connection accept if { src_inc_gpc0 le 2 } { src_updt_conn_cnt le 5 }",
        "tcp-request connection reject if { src_clr_gpc0 lt 4 } or { src_get_gpc0 gt 0 }",
    ))  # fmt: skip
    engine = here.engine()
    assert [judge(engine, "10.0.0.1")[0] for _ in range(5)] == [True, True, False, True, True]


def test_a_rule_that_acts_acts_once_while_another_one_waits(stage: Make) -> None:
    here = stage(frontend(
        "stick-table type ip size 10 store gpc0,conn_cnt",
        "tcp-request inspect-delay 5s",
        "tcp-request content track-sc0 src",
        "tcp-request content sc-inc-gpc0(0)",
        "tcp-request content accept if { req.len ge 3 }",
    ))  # fmt: skip
    engine = here.engine()
    assert _engine.judge(engine, 0, "10.0.0.1", 1, b"a", False)[1] == "wait"
    assert here.entries()[key("10.0.0.1")] == (0, (1, 1))


# ---- room and time -----------------------------------------------------------------------------------------------


def test_the_oldest_makes_room(stage: Make) -> None:
    here = stage(frontend("stick-table type ip size 3 store conn_cnt", "tcp-request connection track-sc0 src"))
    engine = here.engine()
    for last in (1, 2, 3, 1, 4, 5):
        judge(engine, f"10.0.0.{last}")
    assert sorted(here.entries()) == [key(f"10.0.0.{last}") for last in (1, 4, 5)]
    assert here.tables.view.counts(here.slots) == [(3, 2, 0)]
    assert here.entries()[key("10.0.0.1")] == (0, (2,))


def test_nopurge_refuses(stage: Make) -> None:
    here = stage(frontend(
        "stick-table type ip size 2 nopurge store conn_cnt",
        "tcp-request connection track-sc0 src",
        "tcp-request connection reject unless { sc0_tracked }",
    ))  # fmt: skip
    engine = here.engine()
    assert [judge(engine, f"10.0.0.{last}")[0] for last in (1, 2, 3, 2)] == [True, True, False, True]
    assert here.tables.view.counts(here.slots) == [(2, 0, 1)]


def test_what_is_not_used_expires(stage: Make) -> None:
    here = stage(frontend(
        "stick-table type ip size 10 expire 300ms store conn_cnt",
        "tcp-request connection reject if { src_port 9 } { table_cnt gt 0 }",
        "tcp-request connection track-sc0 src if { src_port 1 }",
    ))  # fmt: skip
    engine = here.engine()
    judge(engine, "10.0.0.1")
    assert not judge(engine, "10.0.0.9", port=9)[0]
    deadline = time.monotonic() + 10
    while not judge(engine, "10.0.0.9", port=9)[0]:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert here.entries() == {}
    judge(engine, "10.0.0.1")
    assert here.entries()[key("10.0.0.1")] == (0, (1,)), "it begins anew"


def test_session_rules_and_variables(stage: Make) -> None:
    """A table asked by what a variable holds, and tracked where the client is known."""
    here = stage(frontend(
        "stick-table type ip size 10 store conn_cnt,gpt0",
        "tcp-request connection set-var(sess.who) src",
        "tcp-request session track-sc0 var(sess.who)",
        "tcp-request session sc-set-gpt0(0) src_port",
        "tcp-request session reject if { var(sess.who),table_gpt0(f) eq 7 }",
    ))  # fmt: skip
    engine = here.engine()
    assert [_engine.judge(engine, 0, "10.0.0.1", port)[3] for port in (5, 7)] == [True, False]
    assert here.entries() == {key("10.0.0.1"): (0, (2, 7))}


def test_random_use_against_a_model(stage: Make) -> None:
    """What is in a table of 50, and what each has counted, after thousands of connections from 80 clients."""
    here = stage(frontend("stick-table type string size 50 store conn_cnt", "tcp-request connection track-sc0 src"))
    engine, chance = here.engine(), random.Random(4)
    model: dict[str, int] = {}
    for number in range(4000):
        source = f"10.0.0.{min(int(chance.expovariate(0.05)), 79)}"
        judge(engine, source)
        count = model.pop(source, 0)
        if count == 0 and len(model) == 50:
            model.pop(next(iter(model)))  # the least recently used one
        model[source] = count + 1
        if number % 500 == 0:
            here.entries()
    assert {name.decode(): words[0] for name, (_, words) in here.entries().items()} == model


# ---- death -------------------------------------------------------------------------------------------------------

MANY = frontend(
    "stick-table type ip size 6 store conn_cur,conn_cnt,conn_rate(1m),gpc0,gpc0_rate(1m),gpt0,bytes_in_rate(1m)",
    "tcp-request connection track-sc0 src",
    "tcp-request connection track-sc1 src,ipmask(24)",
    "tcp-request connection sc-inc-gpc0(0)",
    "tcp-request connection sc-set-gpt0(1) 7",
    "tcp-request connection reject if { src_inc_gpc0 eq 0 } or { src_clr_gpc0 eq 0 }",
)  # fmt: skip


def connections(engine: _engine.Engine) -> None:
    for last in (1, 2, 3, 1, 4, 5, 6, 7, 8, 2, 9, 1):
        judge(engine, f"10.0.{last % 2}.{last}")


@pytest.mark.skipif(_engine.BUILD == "release", reason="the places where it dies are compiled into debug builds")
def test_killed_at_any_step_a_worker_leaves_a_whole_table(stage: Make) -> None:
    """Connections that make, evict, track, count and give back entries; each worker dies some steps later.

    FASTLB_SCALE=1 takes every step.
    """
    here = stage(MANY)
    stride = 1 if os.environ.get("FASTLB_SCALE") == "1" else 11
    steps, status = 0, -1
    while status != 0:
        steps += stride

        def work(steps: int = steps) -> None:
            engine = here.engine(1)
            _engine.tables_die_after(steps)
            connections(engine)

        _, status = os.waitpid(here.fork(work), 0)
        assert status == 0 or os.WTERMSIG(status) == signal.SIGKILL
        assert here.tables.view.repair(1) == 0
        entries = here.entries()  # raises unless chains, order of use and free entries fit together
        assert {(trackers, words[1]) for trackers, words in entries.values()} <= {(0, 0)}, f"died at step {steps}"
    assert steps > 500


def test_killed_at_random_workers_leave_a_whole_table(stage: Make) -> None:
    """Three workers at once, killed again and again; a fourth one must neither stop nor miscount."""
    here = stage(MANY)
    chance = random.Random(6)

    def work(worker: int) -> None:
        engine = here.engine(worker)
        while True:
            connections(engine)

    pids = {worker: here.fork(lambda worker=worker: work(worker)) for worker in (1, 2, 3)}
    last = here.engine(0)
    try:
        for _ in range(60):
            time.sleep(chance.random() * 0.004)
            worker = chance.choice((1, 2, 3))
            os.kill(pids[worker], signal.SIGKILL)
            os.waitpid(pids[worker], 0)
            here.tables.repair(worker)
            connections(last)
            pids[worker] = here.fork(lambda worker=worker: work(worker))
    finally:
        for worker, pid in pids.items():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            here.tables.repair(worker)
    for worker in (1, 2, 3):
        here.engine(worker)  # gives back what could not be given back then
    assert {(trackers, words[1]) for trackers, words in here.entries().values()} <= {(0, 0)}


def test_who_waits_for_a_lock_whose_holder_stands_still_goes_on_without_it(stage: Make) -> None:
    here = stage(frontend(
        "stick-table type ip size 6 store conn_cur",
        "tcp-request connection track-sc0 src",
        "tcp-request connection reject if { sc0_tracked }",
    ))  # fmt: skip
    engine = here.engine(0)
    assert not judge(engine, "10.0.0.1")[0]
    here.tables.view.lock(here.slots[0], 2)
    assert judge(engine, "10.0.0.1")[0], "after a second, without being tracked"
    assert here.tables.view.repair(2) == 0
    assert not judge(engine, "10.0.0.1")[0]
