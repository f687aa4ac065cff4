"""Samples of what surrounds a connection: weights, room, the process, its clock and chance."""

from __future__ import annotations

import os
import re
import socket
import time
from pathlib import Path

import pytest

from fastlb import _engine


def values(judge, *samples: str, **more: object) -> list[str | None]:
    """What they give, as text."""
    asked = judge("\n".join(f"use_backend '%[{sample}]'" for sample in samples), **more)
    found = [asked.value(number) for number in range(len(samples))]
    return [None if one is None else one.decode() for one in found]


def test_weights_and_room(judge) -> None:
    samples = ("srv_weight(b1/s1)", "srv_iweight(b1/s1)", "srv_uweight(b1/s1)", "srv_conn_free(b1/s1)", "connslots(b1)",
               "act_conn")  # fmt: skip
    asked = judge("\n".join(f"use_backend '%[{sample}]'" for sample in samples))

    def now() -> list[int]:
        return [int(asked.value(number)) for number in range(len(samples))]

    assert now() == [0, 1, 1, -1, 0, 0], "nobody is up, and nothing is known"
    asked.shm.set_server_state(2, True, 200, False, 7)
    asked.shm.set_server_limit(2, 3)
    assert now() == [7, 1, 1, 3, -1, 0], "the weight of the schedule is another one"
    asked.shm.set_server_limit(2, 3, 0, 5)
    assert now() == [7, 1, 1, 3, 8, 0]
    asked.shm.set_server_state(3, False, 1, True, 256)
    assert now()[4] == -1, "a server that is up, if not for everybody, has no limit"
    asked.shm.set_server_limit(3, 10, 0, 10)
    assert now()[4] == 28
    asked.shm.set_server_limit(2, 10, 2, 5)
    asked.shm.set_backend_fullconn(1, 100)
    assert now()[3] == 2, "the limit follows the load"


def test_the_process_and_its_place(judge) -> None:
    samples = ("pid", "thread", "proc", "uptime", "stopping", "hostname", "env(WHO)", "env(NOPE)", "env(EMPTY)",
               "fe_client_timeout", "cur_client_timeout", "be_server_timeout", "prio_class", "last_rule_line",
               "so_name", "fe_id", "fe_name", "fe_defbe", "be_id", "srv_id")  # fmt: skip
    assert values(judge, *samples, environ={"WHO": "me", "EMPTY": ""}) == [
        str(os.getpid()), "0", "1", "0", "0", socket.gethostname(), "me", None, "", "1000", "1000", None, None, None,
        None, "1", "f", "b0", None, None,
    ]  # fmt: skip
    asked = judge("use_backend %[stopping]")
    asked.engine.drain()
    assert asked.value() == b"1"


@pytest.mark.parametrize(("address", "local"), [("127.0.0.1", b"1"), ("192.0.2.1", b"0"), ("2001:db8::1", b"0")])
def test_whose_address_it_is(judge, address: str, local: bytes) -> None:
    asked = judge("use_backend %[src_is_local]")
    before = len(list(Path("/proc/self/fd").iterdir()))
    assert asked.value(source=address) == local
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_the_clock(judge) -> None:
    """An offset is in the unit of the rest. Where it would not fit any more it runs over, without doing harm."""
    before = time.time_ns() // 1000
    found = values(
        judge, "date", "date(-60)", "date(5,s)", "date(0,ms)", "date(-7,us)", "date_us", f"date({2**63 - 1})"
    )
    after = time.time_ns() // 1000
    seconds, past, future, ms, us, part, over = (int(one or "") for one in found)
    assert before <= us + 7 <= after
    assert before // 1000 <= ms <= after // 1000
    assert before // 1000000 <= seconds <= after // 1000000
    assert (past + 60 - seconds, future - 5 - seconds) in {(0, 0), (0, 1), (1, 0), (1, 1)}
    assert 0 <= part < 1000000
    assert over < 0


def test_chance(judge) -> None:
    asked = judge(
        "use_backend %[rand(6)]\nuse_backend %[rand]\nuse_backend %[rand(1)]\nuse_backend %[rand(4294967296)]"
    )
    assert {asked.value(0) for _ in range(300)} == {b"%d" % n for n in range(6)}
    assert {asked.value(2) for _ in range(10)} == {b"0"}
    for number in (1, 3):
        high = [int(asked.value(number)) for _ in range(100)]
        assert 1 << 31 < max(high) < 1 << 32 and min(high) < 1 << 31


@pytest.mark.parametrize(("sample", "version"), [("uuid", "4"), ("uuid(4)", "4"), ("uuid(7)", "7")])
def test_identifiers(judge, sample: str, version: str) -> None:
    asked = judge(f"use_backend %[{sample}]\nuse_backend %[{sample},upper,lower]")
    before = time.time_ns() // 1000000
    found = [asked.value(number % 2).decode() for number in range(1000)]
    after = time.time_ns() // 1000000
    assert len(set(found)) == 1000
    shape = rf"[0-9a-f]{{8}}-[0-9a-f]{{4}}-{version}[0-9a-f]{{3}}-[89ab][0-9a-f]{{3}}-[0-9a-f]{{12}}"
    assert all(re.fullmatch(shape, one) for one in found)
    assert {one[19] for one in found} == set("89ab"), "all bits that are free are random"
    stamps = [int(one.replace("-", "")[:12], 16) for one in found]
    assert all(before <= stamp <= after for stamp in stamps) is (version == "7")


def test_rates_fade_within_two_seconds() -> None:
    """HAProxy's: what was counted in this second, and of the second before as much as lies less than a second back."""

    def count(word: int, now_ms: int) -> int:
        return _engine.pace_judge([word], now_ms)[1]

    def read(words: list[int], now_ms: int) -> int:
        return _engine.pace_judge(words, now_ms)[0]

    words = [0, 0]
    for now_ms in (10_000, 10_100, 10_999):
        words[0] = count(words[0], now_ms)
    words[1] = count(words[1], 10_500)
    assert read(words, 10_999) == 4
    assert [read(words, ms) for ms in (11_000, 11_250, 11_500, 11_999)] == [4, 3, 2, 0]
    words[1] = count(words[1], 11_500)
    assert read(words, 11_500) == 3
    assert read(words, 12_500) == 1, "a single one counts for as long as it may"
    assert read(words, 13_000) == 0
