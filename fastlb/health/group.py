"""One backend's servers in the monitor: how many are usable, and which schedule is published."""

from __future__ import annotations

from dataclasses import dataclass, field

from fastlb.balance import DYNAMIC, Candidate, Rule, Schedule, maglev_cells, schedule, seeds
from fastlb.health.warmup import warm_weights
from fastlb.health.watch import STEPS, Watch
from fastlb.plan.model import Backend


@dataclass(slots=True)
class Group:
    """``actives`` and ``backups`` count the usable ones. ``published`` is None when nothing is known to be there."""

    backend: Backend
    index: int
    slot: int
    watches: tuple[Watch, ...]
    published: Schedule | None = None
    actives: int = field(init=False)
    backups: int = field(init=False)
    rule: Rule = field(init=False)
    seeds: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        servers, hash_type = [watch.server for watch in self.watches], self.backend.hashing.type
        self.rule = Rule(self.backend.balance, self.backend.allbackups, hash_type, maglev_cells(servers))
        self.seeds = seeds(servers, hash_type)
        self.actives = sum(watch.usable and not watch.server.backup for watch in self.watches)
        self.backups = sum(watch.usable and watch.server.backup for watch in self.watches)

    def count(self, watch: Watch, was_usable: bool) -> None:
        """The server may have become usable, or ceased to be."""
        step = watch.usable - was_usable
        self.backups += step * watch.server.backup
        self.actives += step * (not watch.server.backup)

    def relieved_by(self, watch: Watch) -> tuple[int, ...]:
        """Slots of the servers whose sessions end because this one came up: backups, as far as it says so."""
        if watch.server.backup or not watch.server.shutdown_backups_when_up:
            return ()
        return tuple(one.slot for one in self.watches if one.server.backup)

    def shown_weights(self, watch: Watch) -> tuple[int, int]:
        """The weight of a server as it is now, and that of all who take new connections."""
        if not self.actives and self.backups and not self.backend.allbackups:
            sharers = [next(one for one in self.watches if one.usable)]
        else:
            sharers = [one for one in self.watches if one.usable and one.server.backup == (not self.actives)]
        return _weight_now(watch), sum(map(_weight_now, sharers))

    def weight_of(self, watch: Watch) -> int:
        """What the weight of a server is now, in the measure of the file."""
        return _weight_now(watch) if self.backend.balance in DYNAMIC else watch.server.weight

    def weights(self) -> list[int]:
        """The weights in force: only what they are to each other counts."""
        weights = [watch.server.weight for watch in self.watches]
        if self.backend.balance not in DYNAMIC:
            return weights
        return warm_weights(weights, [watch.warm for watch in self.watches])

    def schedule(self) -> Schedule:
        return schedule(
            self.rule,
            [
                Candidate(w.slot, weight, w.server.backup, w.up and not w.stopping, w.server.id, own)
                for w, weight, own in zip(self.watches, self.weights(), self.seeds, strict=True)
            ],
        )


def _weight_now(watch: Watch) -> int:
    """With its part of ``slowstart``, in whole numbers."""
    return -(-watch.server.weight * min(watch.warm + 1, STEPS) // STEPS)
