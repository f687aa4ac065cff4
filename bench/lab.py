"""The laboratory: targets, a folder, and peers started in front of them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from bench import machine
from bench.peers import Peer, Running, available_peers
from bench.settings import Settings
from bench.targets import Targets


class Lab:
    """Open for as long as something is measured. Meanwhile this process and its load clients run on the load's CPU."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        if machine.BALANCER_CPU == machine.LOAD_CPU:
            raise RuntimeError("two CPUs are needed: one for the balancer, one for the load")
        self.folder, self.settings, self.peers = folder, settings, available_peers()
        self._before = os.sched_getaffinity(0)
        self._single: list[Running] = []
        self._targets = Targets(folder, settings.sessions)
        os.sched_setaffinity(0, {machine.LOAD_CPU})

    @property
    def balancers(self) -> list[Peer]:
        """All peers but ``direct``."""
        return [peer for peer in self.peers if peer.kind != "direct"]

    def start(self, peer: Peer, workers: int = 1, cpus: Iterable[int] = (machine.BALANCER_CPU,)) -> Running:
        """A fresh one; whoever starts it stops it."""
        return Running(peer, self._targets, self.folder, self.settings.sessions, workers, cpus)

    def single_workers(self) -> Sequence[Running]:
        """One of each peer with one worker, ``direct`` among them; started once, stopped with the laboratory."""
        for peer in self.peers[len(self._single) :]:
            self._single.append(self.start(peer))
        return self._single

    def close(self) -> None:
        for running in self._single:
            running.stop()
        self._targets.close()
        os.sched_setaffinity(0, self._before)

    def __enter__(self) -> Lab:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
