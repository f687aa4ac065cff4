"""Which servers a backend may use now, and in what kind of order: pure functions from plan and health to schedules.

The choice itself is the engine's (src/balance.pxi); it reads what is published here.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from operator import attrgetter
from typing import NamedTuple

from fastlb.balance.eligible import Candidate, eligible
from fastlb.balance.seeds import seed
from fastlb.plan.hashing import HashType
from fastlb.plan.model import Balance

Entries = tuple[tuple[int, int], ...]
"""(slot of the server, weight) in the order of the configuration, or of the ids for ``first``."""


class Shape(IntEnum):
    """The order in which a schedule has its servers: src/schedule.pxi, src/ring.pxi."""

    SPREAD = 0
    INTERLEAVED = 1
    RING = 2


SHAPES = {HashType.MAP: Shape.INTERLEAVED, HashType.CONSISTENT: Shape.RING}
"""For the algorithms that hash. The map is HAProxy's, so that a client meets the same server after a migration."""


DYNAMIC = frozenset({Balance.ROUNDROBIN, Balance.LEASTCONN})
"""Algorithms that may follow a weight that changes by the second (HAProxy manual, section 5.2 ``slowstart``)."""


class Schedule(NamedTuple):
    """What the engine is given; a ring has a seed for each entry."""

    entries: Entries
    shape: Shape = Shape.SPREAD
    seeds: tuple[int, ...] = ()


def shape(balance: Balance, hash_type: HashType) -> Shape:
    """The shape of a backend's schedules."""
    return SHAPES[hash_type] if balance in (Balance.SOURCE, Balance.HASH) else Shape.SPREAD


def schedule(
    balance: Balance, servers: Sequence[Candidate], allbackups: bool = False, hash_type: HashType = HashType.MAP
) -> Schedule:
    """What to publish for a backend whose servers are ``servers``; without entries when none is usable."""
    chosen = eligible(servers, allbackups)
    if balance is Balance.FIRST:
        return Schedule(tuple((server.slot, 1) for server in sorted(chosen, key=attrgetter("id"))))
    entries = tuple((server.slot, server.weight) for server in chosen)
    form = shape(balance, hash_type)
    return Schedule(entries, form, tuple(server.seed for server in chosen) if form is Shape.RING else ())


__all__ = ["DYNAMIC", "Candidate", "Entries", "Schedule", "Shape", "eligible", "schedule", "seed", "shape"]
