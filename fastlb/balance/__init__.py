"""Which servers a backend may use now, and in what kind of order: pure functions from plan and health to schedules.

The choice itself is the engine's (src/balance.pxi); it reads what is published here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from operator import attrgetter
from typing import NamedTuple

from fastlb.balance.eligible import Candidate, eligible
from fastlb.balance.seeds import MAGLEV_CELLS, maglev_cells, seeds
from fastlb.plan.hashing import HashType
from fastlb.plan.model import Balance

Entries = tuple[tuple[int, int], ...]
"""(slot of the server, weight) in the order of the configuration, or of the ids for ``first``."""


class Shape(IntEnum):
    """The order in which a schedule has its servers: schedule.pxi, ring.pxi and maglev.pxi in src."""

    SPREAD = 0
    INTERLEAVED = 1
    RING = 2
    MAGLEV = 3


SHAPES = {HashType.MAP: Shape.INTERLEAVED, HashType.CONSISTENT: Shape.RING, HashType.MAGLEV: Shape.MAGLEV}
"""For the algorithms that hash. The map is HAProxy's, so that a client meets the same server after a migration."""


DYNAMIC = frozenset({Balance.ROUNDROBIN, Balance.LEASTCONN, Balance.RANDOM})
"""Algorithms that may follow a weight that changes by the second (HAProxy manual, section 5.2 ``slowstart``)."""


class Schedule(NamedTuple):
    """What the engine is given: a ring and a Maglev table have a seed for each entry, the table a number of cells."""

    entries: Entries
    shape: Shape = Shape.SPREAD
    seeds: tuple[int, ...] = ()
    cells: int = 0


@dataclass(frozen=True, slots=True)
class Rule:
    """How a backend's schedules are made; ``cells`` is the size of a Maglev table."""

    balance: Balance
    allbackups: bool = False
    hash_type: HashType = HashType.MAP
    cells: int = MAGLEV_CELLS[0]

    @property
    def shape(self) -> Shape:
        return SHAPES[self.hash_type] if self.balance in (Balance.SOURCE, Balance.HASH) else Shape.SPREAD


def schedule(rule: Rule, servers: Sequence[Candidate]) -> Schedule:
    """What to publish for a backend whose servers are ``servers``; without entries when none is usable."""
    chosen = eligible(servers, rule.allbackups)
    if rule.balance is Balance.FIRST:
        return Schedule(tuple((server.slot, 1) for server in sorted(chosen, key=attrgetter("id"))))
    entries = tuple((server.slot, server.weight) for server in chosen)
    form = rule.shape if len(entries) > 1 else Shape.SPREAD  # for one server a single cell will do
    if form not in (Shape.RING, Shape.MAGLEV):
        return Schedule(entries, form)
    own = tuple(server.seed for server in chosen)
    return Schedule(entries, form, own, rule.cells if form is Shape.MAGLEV else 0)


__all__ = [
    "DYNAMIC",
    "Candidate",
    "Entries",
    "Rule",
    "Schedule",
    "Shape",
    "eligible",
    "maglev_cells",
    "schedule",
    "seeds",
]
