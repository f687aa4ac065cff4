"""Who may receive new connections: all usable active servers; without one, the first usable backup.

HAProxy manual, section 5.2 ``backup`` and section 4.2 ``option allbackups``, which has all of them share the traffic.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Candidate(NamedTuple):
    """One server as the choice sees it, a tuple because a change makes thousands of them at once.

    ``usable`` is up and not in maintenance; weight 0 takes no new connection. ``seed`` says where it
    stands on a hash ring.
    """

    slot: int
    weight: int
    backup: bool
    usable: bool
    id: int = 0
    seed: int = 0


def eligible(servers: Sequence[Candidate], allbackups: bool = False) -> tuple[Candidate, ...]:
    """The servers to share the traffic now, in the order of the configuration."""
    usable = [server for server in servers if server.usable and server.weight > 0]
    actives = tuple(server for server in usable if not server.backup)
    return actives or tuple(usable if allbackups else usable[:1])
