"""From configuration to plan: how a backend hashes, and the ids of servers."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fastlb.plan.hashing import HashFetch, HashFunction, Hashing, HashKey, HashType
from fastlb.plan.load import LoadResult
from fastlb.plan.model import Plan

LoadText = Callable[..., LoadResult]


def plan_of(load_text: LoadText, lines: str) -> Plan:
    plan = load_text(f"listen l\n bind :1\n{lines}").plan
    assert plan is not None
    return plan


@pytest.mark.parametrize(
    ("lines", "hashing"),
    [
        ("balance source", Hashing()),
        ("balance source\n hash-type consistent", Hashing(HashType.CONSISTENT, avalanche=True)),
        ("balance source\n hash-type consistent djb2", Hashing(HashType.CONSISTENT)),
        ("balance source\n hash-type maglev", Hashing(HashType.MAGLEV, avalanche=True)),
        ("balance source\n hash-type maglev crc32", Hashing(HashType.MAGLEV, avalanche=True)),
        ("balance hash src", Hashing(function=HashFunction.SDBM)),
        (
            "balance hash dst_port\n hash-type map-based crc32 avalanche",
            Hashing(fetch=HashFetch.DST_PORT, function=HashFunction.CRC32, avalanche=True),
        ),
        ("balance hash src\n hash-type map-based none", Hashing()),
        (
            "balance hash dst,ipmask(20,56)\n hash-type consistent wt6\n hash-balance-factor 150",
            Hashing(
                type=HashType.CONSISTENT,
                fetch=HashFetch.DST,
                function=HashFunction.WT6,
                mask4=b"\xff\xff\xf0\x00",
                mask6=b"\xff" * 7 + bytes(9),
                factor=150,
            ),
        ),
        ("balance hash src,ipmask(255.0.255.0)", Hashing(function=HashFunction.SDBM, mask4=b"\xff\x00\xff\x00")),
    ],
)
def test_hashing(lines: str, hashing: Hashing, load_text: LoadText) -> None:
    assert plan_of(load_text, f" {lines}\n server s 127.0.0.1:1\n").backends[0].hashing == hashing


def test_ids_of_servers_count_the_lines_and_pass_over_what_is_taken(load_text: LoadText) -> None:
    """HAProxy's ids, which its hash rings are made of."""
    said = ["", " id 3", "", "", " id 9", ""]
    plan = plan_of(load_text, "".join(f" server s{n} 127.0.0.1:1{one}\n" for n, one in enumerate(said)))
    assert [server.id for server in plan.servers] == [1, 3, 4, 5, 9, 7]


@pytest.mark.parametrize(
    ("kind", "key"), [("map-based", HashKey.ID), ("consistent", HashKey.ID), ("maglev", HashKey.NAME)]
)
def test_what_a_servers_places_follow_from(kind: str, key: HashKey, load_text: LoadText) -> None:
    lines = f" balance source\n hash-type {kind}\n server a 127.0.0.1:1\n server b 127.0.0.1:2 hash-key addr-port\n"
    assert [server.hash_key for server in plan_of(load_text, lines).servers] == [key, HashKey.ADDR_PORT]
