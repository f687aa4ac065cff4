"""The faults there are, and a series of them at random moments."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from random import Random

from soak_lib import faults_backends, faults_junk, faults_reload, faults_workers
from soak_lib.fault import Fault, Stage

FAULTS = [
    value
    for module in (faults_workers, faults_reload, faults_backends, faults_junk)
    for value in vars(module).values()
    if isinstance(value, Fault)
]


class Deck:
    """Deals faults at random, each as often as the others: all are dealt before one comes again.

    Its ``rng`` decides about the series and nothing else, so that a seed stands for a series of faults.
    """

    def __init__(self, rng: Random, own_network: bool, only: Collection[str] = ()) -> None:
        self.rng = rng
        here = [each for each in FAULTS if own_network or not each.needs_network]
        self._usable = [each for each in here if not only or each.name in only]
        self._left: list[Fault] = []

    def deal(self, without_group: str = "") -> Fault | None:
        """The next fault, not of that group; None if there is no other group."""
        if all(each.group == without_group for each in self._usable):
            return None
        if not any(each.group != without_group for each in self._left):
            more = list(self._usable)
            self.rng.shuffle(more)
            self._left += more
        chosen = next(each for each in self._left if each.group != without_group)
        self._left.remove(chosen)
        return chosen


async def commit(stage: Stage, fault: Fault) -> None:
    """One fault, in the books. That it cannot even be carried out is a violation: the balancer did not answer."""
    with stage.books.window(fault.name, fault.explains, fault.grace):
        try:
            await fault.act(stage)
        except (OSError, AssertionError, ValueError) as error:
            stage.books.violate("recovery", f"{fault.name}: {error!r}")


async def series(stage: Stage, deck: Deck, goes_on: Callable[[], bool]) -> None:
    """One to four faults with pauses between them, as long as it ``goes_on``; now and then two overlap."""
    for _ in range(deck.rng.randint(1, 4)):
        await asyncio.sleep(deck.rng.uniform(0.5, 3))
        first = deck.deal()
        if not first or not goes_on():
            return
        second = deck.deal(first.group) if deck.rng.random() < 0.3 else None
        await asyncio.gather(commit(stage, first), *([_later(stage, second)] if second else []))


async def _later(stage: Stage, fault: Fault) -> None:
    await asyncio.sleep(stage.rng.uniform(0, 1))
    await commit(stage, fault)
