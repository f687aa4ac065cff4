"""Who is eligible, and what is published for it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastlb.balance import Candidate, Rule, Schedule, Shape, eligible, maglev_cells, schedule, seeds
from fastlb.config.errors import Location
from fastlb.plan.hashing import HashKey, HashType
from fastlb.plan.model import Address, Balance, Server

HASHED = (Balance.SOURCE, Balance.HASH)


def candidates(*descriptions: str) -> list[Candidate]:
    """``"3"`` is an active server of weight 3, ``"3b"`` a backup, ``"3-"`` one that is down."""
    return [
        Candidate(slot, int(text.rstrip("b-")), "b" in text, "-" not in text) for slot, text in enumerate(descriptions)
    ]


@pytest.mark.parametrize(
    ("servers", "slots"),
    [
        (("1", "1", "1b"), [0, 1]),
        (("1", "1-", "1b"), [0]),
        (("1-", "1-", "1b-", "1b", "1b"), [3]),
        (("1b", "1"), [1]),
        (("0", "1b"), [1]),
        (("0", "0b"), []),
        (("1-",), []),
        ((), []),
    ],
)
def test_actives_else_the_first_usable_backup(servers: tuple[str, ...], slots: list[int]) -> None:
    assert [one.slot for one in eligible(candidates(*servers))] == slots


@pytest.mark.parametrize(
    ("servers", "slots"),
    [
        (("1", "1b", "1b"), [0]),
        (("1-", "1b-", "2b", "3b"), [2, 3]),
        (("1-", "0b", "1b"), [2]),
        (("1-", "1b-"), []),
    ],
)
def test_allbackups_has_every_usable_backup_share(servers: tuple[str, ...], slots: list[int]) -> None:
    assert [one.slot for one in eligible(candidates(*servers), allbackups=True)] == slots


@pytest.mark.parametrize("balance", [balance for balance in Balance if balance is not Balance.FIRST])
def test_weights_are_published_as_written(balance: Balance) -> None:
    shape = Shape.INTERLEAVED if balance in HASHED else Shape.SPREAD
    assert schedule(Rule(balance), candidates("4", "6", "2-")) == Schedule(((0, 4), (1, 6)), shape)


def test_first_goes_by_id_and_not_by_weight() -> None:
    servers = [Candidate(slot, 4, False, True, number) for slot, number in enumerate([30, 10, 20])]
    assert schedule(Rule(Balance.FIRST), servers).entries == ((1, 1), (2, 1), (0, 1))


@pytest.mark.parametrize("balance", HASHED)
def test_rings_and_tables_have_the_seeds_of_those_who_are_usable(balance: Balance) -> None:
    servers = [Candidate(slot, 4, False, slot != 1, slot, 100 + slot) for slot in range(3)]
    entries, own = ((0, 4), (2, 4)), (100, 102)
    ring = Rule(balance, hash_type=HashType.CONSISTENT)
    assert schedule(ring, servers) == Schedule(entries, Shape.RING, own)
    table = Rule(balance, hash_type=HashType.MAGLEV, cells=65537)
    assert schedule(table, servers) == Schedule(entries, Shape.MAGLEV, own, 65537)


@pytest.mark.parametrize("hash_type", HashType)
def test_one_server_needs_no_table(hash_type: HashType) -> None:
    published = schedule(Rule(Balance.HASH, hash_type=hash_type), candidates("100", "100-"))
    assert published == Schedule(((0, 100),), Shape.SPREAD)


def server(name: str, host: str, port: int, key: HashKey, number: int = 1, weight: int = 1) -> Server:
    where = Location("a.cfg", 1, 1)
    return Server(name, 0, Address("inet", host, port), where, id=number, hash_key=key, weight=weight)


def test_by_id_a_ring_is_haproxys() -> None:
    servers = [server("a", "10.0.0.1", 80, HashKey.ID, number) for number in (1, 2)]
    assert seeds(servers, HashType.CONSISTENT) == (4096, 8192)


@pytest.mark.parametrize("hash_type", [HashType.CONSISTENT, HashType.MAGLEV])
@pytest.mark.parametrize(
    ("key", "same", "other"),
    [
        (HashKey.ADDR, ("b", "10.0.0.1", 81, 2), ("a", "10.0.0.2", 80, 1)),
        (HashKey.ADDR_PORT, ("b", "10.0.0.1", 80, 2), ("a", "10.0.0.1", 81, 1)),
        (HashKey.NAME, ("a", "10.0.0.2", 81, 2), ("b", "10.0.0.1", 80, 1)),
    ],
)
def test_a_seed_depends_on_the_hash_key_alone(hash_type: HashType, key: HashKey, same: tuple, other: tuple) -> None:
    def seed(name: str, host: str, port: int, number: int) -> int:
        return seeds([server(name, host, port, key, number)], hash_type)[0]

    assert seed("a", "10.0.0.1", 80, 1) == seed(*same) != seed(*other)


def test_servers_that_look_the_same_by_their_key_have_places_of_their_own() -> None:
    servers = [server(name, "10.0.0.1", port, HashKey.ADDR) for name, port in (("a", 80), ("b", 81))]
    assert len(set(seeds(servers, HashType.CONSISTENT))) == 2


@pytest.mark.parametrize(
    ("weights", "cells"), [([1] * 10, 65537), ([256] * 1000, 65537), ([1, 256] * 10, 655373), ([], 65537), ([0], 65537)]
)
def test_a_table_has_cells_enough_for_the_lightest(weights: list[int], cells: int) -> None:
    assert maglev_cells([server("a", "10.0.0.1", 80, HashKey.NAME, weight=weight) for weight in weights]) == cells


@given(st.lists(st.builds(Candidate, st.integers(0, 9), st.integers(0, 256), st.booleans(), st.booleans())))
def test_nothing_unusable_is_ever_published(servers: list[Candidate]) -> None:
    for balance in Balance:
        published = schedule(Rule(balance), servers).entries
        usable = [one for one in servers if one.usable and one.weight]
        assert bool(published) == bool(usable)
        assert all(weight > 0 for _, weight in published)
        assert {slot for slot, _ in published} <= {one.slot for one in usable}
