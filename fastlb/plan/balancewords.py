"""How a backend chooses servers, in the words of a file."""

from __future__ import annotations

from collections.abc import Iterator

from fastlb.plan.hashing import HashType
from fastlb.plan.model import Backend, Balance


def algorithm(backend: Backend) -> str:
    """What stands after ``balance``."""
    name = backend.balance.name.lower()
    if backend.balance is Balance.RANDOM:
        return f"{name}({backend.draws})"
    if backend.balance is Balance.HASH:
        return f"{name} {backend.hashing.key}"
    return "static-rr" if backend.balance is Balance.STATIC_RR else name


def lines(backend: Backend) -> Iterator[tuple[str, str]]:
    """Each line about it, and which setting says so."""
    yield f"balance {algorithm(backend)}", "balance"
    if backend.balance not in (Balance.SOURCE, Balance.HASH):
        return
    yield f"hash-type {backend.hashing.table}", "hash_type"
    yield f"hash-preserve-affinity {backend.hashing.affinity.name.lower()}", "hash_affinity"
    if backend.hashing.type is HashType.CONSISTENT:
        yield f"hash-balance-factor {backend.hashing.factor}", "hash_factor"
