"""Who is eligible, and what is published for it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastlb.balance import Candidate, Schedule, Shape, eligible, schedule, seed
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
    assert schedule(balance, candidates("4", "6", "2-")) == Schedule(((0, 4), (1, 6)), shape)


def test_first_goes_by_id_and_not_by_weight() -> None:
    servers = [Candidate(slot, 4, False, True, number) for slot, number in enumerate([30, 10, 20])]
    assert schedule(Balance.FIRST, servers).entries == ((1, 1), (2, 1), (0, 1))


@pytest.mark.parametrize("balance", HASHED)
def test_a_ring_has_the_seeds_of_those_who_are_usable(balance: Balance) -> None:
    servers = [Candidate(slot, 4, False, slot != 1, slot, 100 + slot) for slot in range(3)]
    assert schedule(balance, servers, hash_type=HashType.CONSISTENT) == (((0, 4), (2, 4)), Shape.RING, (100, 102))


def server(name: str, host: str, port: int, key: HashKey, number: int = 1) -> Server:
    return Server(name, 0, Address("inet", host, port), Location("a.cfg", 1, 1), id=number, hash_key=key)


def test_a_seed_depends_on_the_hash_key_alone() -> None:
    by_id = [seed(server("a", "10.0.0.1", 80, HashKey.ID, number)) for number in (1, 2)]
    assert by_id == [4096, 8192], "these are HAProxy's"
    host = seed(server("a", "10.0.0.1", 80, HashKey.ADDR))
    assert host == seed(server("b", "10.0.0.1", 81, HashKey.ADDR, 2)) != seed(server("a", "10.0.0.2", 80, HashKey.ADDR))
    both = seed(server("a", "10.0.0.1", 80, HashKey.ADDR_PORT))
    assert both == seed(server("b", "10.0.0.1", 80, HashKey.ADDR_PORT, 2))
    assert both not in (host, seed(server("a", "10.0.0.1", 81, HashKey.ADDR_PORT)))


@given(st.lists(st.builds(Candidate, st.integers(0, 9), st.integers(0, 256), st.booleans(), st.booleans())))
def test_nothing_unusable_is_ever_published(servers: list[Candidate]) -> None:
    for balance in Balance:
        published = schedule(balance, servers).entries
        usable = [one for one in servers if one.usable and one.weight]
        assert bool(published) == bool(usable)
        assert all(weight > 0 for _, weight in published)
        assert {slot for slot, _ in published} <= {one.slot for one in usable}
