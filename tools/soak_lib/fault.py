"""What a fault is: a name, what it explains, with which others it must not overlap, and an action that recovers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from random import Random

from harness.waiting import PATIENCE

from soak_lib.balancer import Balancer
from soak_lib.books import Books
from soak_lib.load import Load
from soak_lib.logs import LogSink
from soak_lib.servers import Server

RECOVERY_S = 20.0 * PATIENCE  # within which everything must be as before


@dataclass
class Stage:
    """What faults act upon."""

    balancer: Balancer
    servers: tuple[Server, ...]
    load: Load
    books: Books
    log: LogSink
    rng: Random
    spare_port: int
    directory: Path


@dataclass(frozen=True)
class Fault:
    """``group``: two faults of one group never overlap. ``grace``: how many seconds after its end (the recovery
    included) its consequences may still show. ``needs_network``: only in a network namespace of the soak's own."""

    name: str
    group: str
    act: Callable[[Stage], Awaitable[None]]
    explains: frozenset[str] = frozenset()
    grace: float = 5.0
    needs_network: bool = False


def fault(
    group: str, explains: Iterable[str] = (), grace: float = 5.0, needs_network: bool = False
) -> Callable[[Callable[[Stage], Awaitable[None]]], Fault]:
    """Decorator: the function becomes a Fault of its own name."""

    def make(act: Callable[[Stage], Awaitable[None]]) -> Fault:
        name = act.__name__.replace("_", " ")
        return Fault(name, group, act, frozenset(explains), grace, needs_network)

    return make


async def recovered(stage: Stage) -> None:
    """The end of most faults: every worker is back, every server up."""

    def serving(status: dict[str, object]) -> bool:
        workers = status["workers"]
        assert isinstance(workers, list)
        present = [each for each in workers if each["pid"]]
        return bool(status["ready"]) and len(present) >= stage.balancer.shape.workers

    back = await stage.balancer.until(serving, RECOVERY_S)
    stage.books.check("recovery", back, f"not ready {RECOVERY_S:g} s after: {await stage.balancer.status()}")
    up = await stage.balancer.until_metrics(
        lambda now: all(value == 1 for _, value in now.select("fastlb_server_up")), RECOVERY_S
    )
    stage.books.check("recovery", up, f"a server is not up {RECOVERY_S:g} s after")
