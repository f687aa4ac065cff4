"""What the places of a server in a hash table follow from: the same number on every balancer that knows it alike."""

from __future__ import annotations

from hashlib import blake2b

from fastlb.plan.hashing import HashKey
from fastlb.plan.model import Server

_NODES_OF_AN_ID = 4096
"""HAProxy's: the positions of id 2 begin where those of id 1 must have ended."""


def seed(server: Server) -> int:
    """64 bits for ``hash-key``. By id the upper 32 are 0 and the ring is HAProxy's; by address they are a hash."""
    if server.hash_key is HashKey.ADDR:
        return _hashed(server.address.host)
    if server.hash_key is HashKey.ADDR_PORT:
        return _hashed(str(server.address))
    return server.id * _NODES_OF_AN_ID & 0xFFFFFFFF


def _hashed(text: str) -> int:
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogateescape"), digest_size=8).digest(), "big")
