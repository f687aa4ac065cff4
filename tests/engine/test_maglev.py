"""hash-type maglev: the same table on every balancer, exact shares, and how many keys move when a server leaves."""

from __future__ import annotations

import random
import socket
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest
from engine_peers import say
from engine_workers import HERE, make_plan, running
from test_hashing import avalanche

from fastlb import _engine
from fastlb.balance import Shape, seeds
from fastlb.balance.seeds import MAGLEV_CELLS
from fastlb.plan.hashing import Hashing, HashKey, HashType
from fastlb.plan.model import Address, Balance, Server

CELLS = MAGLEV_CELLS[0]
TEN = [f"web{n}" for n in range(10)]


@pytest.fixture
def view() -> Iterator[_engine.Shm]:
    shm = _engine.Shm(_engine.shm_create())
    yield shm
    shm.close()


def table(view: _engine.Shm, names: Sequence[str], weights: dict[str, int] | None = None) -> list[str]:
    """Who has each cell, as the engine publishes it for servers in that order."""
    servers = [Server(name, 0, Address("inet", "10.0.0.1", 80), HERE, hash_key=HashKey.NAME) for name in names]
    entries = [(slot, (weights or {}).get(name, 1)) for slot, name in enumerate(names)]
    view.publish_schedule(0, entries, Shape.MAGLEV, seeds(servers, HashType.MAGLEV), CELLS)
    return [names[slot] for slot in view.schedule(0)]


def moved(before: list[str], after: list[str]) -> float:
    """The share of keys that change their server: every cell has as many keys as any other."""
    return sum(a != b for a, b in zip(before, after, strict=True)) / len(before)


def test_the_order_of_the_lines_does_not_matter(view: _engine.Shm) -> None:
    shuffled = random.Random(1).sample(TEN, len(TEN))
    assert table(view, shuffled) == table(view, TEN)
    weights = {name: n + 1 for n, name in enumerate(TEN)}
    assert table(view, shuffled, weights) == table(view, TEN, weights)


def test_shares_are_exact_to_a_cell(view: _engine.Shm) -> None:
    assert set(Counter(table(view, TEN)).values()) == {CELLS // 10, CELLS // 10 + 1}
    weights = {name: n + 1 for n, name in enumerate(TEN)}
    for name, cells in Counter(table(view, TEN, weights)).items():
        assert cells == pytest.approx(CELLS * weights[name] / 55, abs=2)


@pytest.mark.parametrize("weights", [None, {"web3": 4, "web7": 2}], ids=["equal", "weighted"])
def test_few_more_keys_move_than_those_of_the_server_that_left(
    view: _engine.Shm, weights: dict[str, int] | None
) -> None:
    """The bound is the share of the server itself: a tenth for ten equal servers. No table can do with less."""
    before = table(view, TEN, weights)
    for gone in TEN:
        share = before.count(gone) / CELLS
        after = table(view, [name for name in TEN if name != gone], weights)
        assert share <= moved(before, after) < 1.1 * share
        assert gone not in after
    assert table(view, TEN, weights) == before


def test_a_map_moves_nearly_all_keys(view: _engine.Shm) -> None:
    """What the other table costs: so the test above could fail."""
    view.publish_schedule(0, [(slot, 1) for slot in range(10)], Shape.INTERLEAVED)
    ten = view.schedule(0)
    view.publish_schedule(0, [(slot, 1) for slot in range(9)], Shape.INTERLEAVED)
    nine = view.schedule(0)
    assert moved([str(ten[key % 10]) for key in range(90)], [str(nine[key % 9]) for key in range(90)]) == 0.9


def test_a_client_meets_the_server_of_its_cell(serve) -> None:
    plan = make_plan(
        [serve(say(b"%d" % i)) for i in range(5)],
        balance=Balance.SOURCE,
        hashing=replace(Hashing(HashType.MAGLEV), avalanche=True),
    )
    with running(plan, count=2) as workers:
        cells = workers.shm.schedule(0)
        assert len(cells) == CELLS
        for n in range(20):
            source = f"127.{n}.{n * 17 % 256}.{n + 1}"
            with socket.create_connection(
                ("127.0.0.1", workers.port), timeout=20, source_address=(source, 0)
            ) as client:
                value = avalanche(int.from_bytes(socket.inet_aton(source), "big"))
                assert int(client.recv(10)) == cells[value % CELLS]


def test_too_few_cells_are_refused(view: _engine.Shm) -> None:
    with pytest.raises(ValueError, match="too few"):
        view.publish_schedule(0, [(slot, 1) for slot in range(3)], Shape.MAGLEV, (1, 2, 3), 3)
