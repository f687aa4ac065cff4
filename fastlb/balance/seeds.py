"""What the places of a server in a hash table follow from: the same number on every balancer that knows it alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from hashlib import blake2b

from fastlb.plan.hashing import HashKey, HashType
from fastlb.plan.model import Server

MAGLEV_CELLS = (65537, 655373)
"""Sizes of a Maglev table, prime. The larger one takes the master a tenth of a second."""

_CELLS_OF_THE_LIGHTEST = 64
_NODES_OF_AN_ID = 4096
"""HAProxy's: the positions of id 2 begin where those of id 1 must have ended."""


def seeds(servers: Sequence[Server], hash_type: HashType) -> tuple[int, ...]:
    """64 bits for each server of a backend. In a ring by id the upper 32 are 0, and the positions HAProxy's.

    Servers that look the same by their ``hash-key`` (two ports of one address) are told apart by their names.
    """
    if hash_type is HashType.MAP:
        return (0,) * len(servers)
    plain = [_seed(server, hash_type) for server in servers]
    count = Counter(plain)
    return tuple(
        own if count[own] == 1 else _hashed(f"{own} {server.name}") for own, server in zip(plain, servers, strict=True)
    )


def maglev_cells(servers: Sequence[Server]) -> int:
    """The size of a backend's table: of all its servers, not of the usable ones, so that it stays when these change."""
    weights = [server.weight for server in servers if server.weight] or [1]
    wanted = _CELLS_OF_THE_LIGHTEST * sum(weights) // min(weights)
    return next((cells for cells in MAGLEV_CELLS if cells >= wanted), MAGLEV_CELLS[-1])


def _seed(server: Server, hash_type: HashType) -> int:
    if server.hash_key is HashKey.ID and hash_type is HashType.CONSISTENT:
        return server.id * _NODES_OF_AN_ID & 0xFFFFFFFF
    return _hashed(
        {
            HashKey.ID: str(server.id),
            HashKey.NAME: server.name,
            HashKey.ADDR: server.address.host,
            HashKey.ADDR_PORT: str(server.address),
        }[server.hash_key]
    )


def _hashed(text: str) -> int:
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogateescape"), digest_size=8).digest(), "big")
