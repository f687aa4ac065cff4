"""How a backend chooses servers, in the words of a file."""

from __future__ import annotations

from collections.abc import Iterator

from fastlb.plan.model import Backend, Balance


def algorithm(backend: Backend) -> str:
    """What stands after ``balance``."""
    name = backend.balance.name.lower()
    if backend.balance is Balance.RANDOM:
        return f"{name}({backend.draws})"
    return "static-rr" if backend.balance is Balance.STATIC_RR else name


def lines(backend: Backend) -> Iterator[tuple[str, str]]:
    """Each line about it, and which setting says so."""
    yield f"balance {algorithm(backend)}", "balance"
