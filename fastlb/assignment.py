"""Which worker accepts from which listening socket: every socket has exactly one acceptor, or all if it is shared.

A socket nobody accepts from is a black hole: the kernel goes on choosing it for new connections (P2).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fastlb.listeners import Listener


def owner(slot: int, workers: int, present: Sequence[int]) -> int | None:
    """The worker that serves the sockets made for ``slot``. ``present``: slots that serve, ascending.

    A slot beyond the present number of workers belongs to ``slot % workers``; a slot whose worker is away to the next
    one present.
    """
    if not present:
        return None
    home = slot % workers
    return next((one for one in present if one >= home), present[0])


def assigned(listeners: Iterable[Listener], worker: int, workers: int, present: Sequence[int]) -> list[Listener]:
    """The sockets that ``worker`` serves when ``present`` (which need not include it) and itself are there."""
    there = sorted({*present, worker})
    return [one for one in listeners if one.shared or owner(one.slot, workers, there) == worker]
