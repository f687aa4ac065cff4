"""Which servers a backend may use now, and in what kind of order: pure functions from plan and health to schedules.

The choice itself is the engine's (src/balance.pxi); it reads what is published here.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import NamedTuple

from fastlb.balance.eligible import Candidate, eligible
from fastlb.plan.model import Balance

Entries = tuple[tuple[int, int], ...]
"""(slot of the server, weight) in the order of the configuration, or of the ids for ``first``."""

INTERLEAVED = frozenset({Balance.SOURCE})
"""Algorithms whose order is HAProxy's map, so that a client meets the same server after a migration."""


DYNAMIC = frozenset({Balance.ROUNDROBIN, Balance.LEASTCONN})
"""Algorithms that may follow a weight that changes by the second (HAProxy manual, section 5.2 ``slowstart``)."""


class Schedule(NamedTuple):
    """What the engine is given; ``interleaved`` asks for the order of HAProxy's map instead of an even spread."""

    entries: Entries
    interleaved: bool


def schedule(balance: Balance, servers: Sequence[Candidate], allbackups: bool = False) -> Schedule:
    """What to publish for a backend whose servers are ``servers``; without entries when none is usable."""
    chosen = eligible(servers, allbackups)
    if balance is Balance.FIRST:
        return Schedule(tuple((server.slot, 1) for server in sorted(chosen, key=attrgetter("id"))), False)
    return Schedule(tuple((server.slot, server.weight) for server in chosen), balance in INTERLEAVED)


__all__ = ["DYNAMIC", "Candidate", "Entries", "Schedule", "eligible", "schedule"]
