"""The worker slots and who is in them: questions only, the crew gives the orders."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from fastlb.backoff import Backoff
from fastlb.children import Child


@dataclass(slots=True)
class Slot:
    """A place for one worker, which outlives it. ``lent``: its listening sockets are with siblings."""

    child: Child | None = None
    restarts: int = 0
    lent: bool = False
    backoff: Backoff = field(default_factory=Backoff)
    respawn: asyncio.TimerHandle | None = None

    def cancel_respawn(self) -> None:
        """No new worker is forked for this slot."""
        if self.respawn is not None:
            self.respawn.cancel()
            self.respawn = None

    @property
    def state(self) -> str:
        """One word for the operator."""
        if self.child is None:
            return "restarting" if self.respawn else "ended"
        if self.child.leaving:
            return "draining"
        return "serving" if self.child.ready else "starting"


@dataclass(slots=True)
class Roster:
    """All slots that ever were; those below ``size`` shall have a worker."""

    slots: list[Slot] = field(default_factory=list)
    size: int = 0

    def living(self) -> list[Child]:
        """Every worker process that has not ended."""
        return [slot.child for slot in self.slots if slot.child is not None]

    def children(self) -> list[Child]:
        """The workers that serve, or soon will."""
        return [child for child in self.living() if not child.leaving]

    def ready(self) -> int:
        """How many workers serve."""
        return sum(child.ready for child in self.children())

    def present(self) -> list[int]:
        """The slots that accept from their own sockets, now or in a moment."""
        return [index for index, slot in enumerate(self.slots[: self.size]) if not slot.lent]

    def restarts(self) -> tuple[int, ...]:
        """Unasked ends so far, by slot."""
        return tuple(slot.restarts for slot in self.slots)

    def pids(self) -> tuple[int, ...]:
        """Process ids by slot, 0 where there is none now."""
        return tuple(slot.child.pid if slot.child else 0 for slot in self.slots)

    def states(self) -> tuple[str, ...]:
        """What each slot's worker does, in a word."""
        return tuple(slot.state for slot in self.slots)
