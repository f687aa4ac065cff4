"""Faults of servers and of the network between."""

from __future__ import annotations

import asyncio

from soak_lib import network
from soak_lib.books import END
from soak_lib.fault import Stage, fault, recovered

LOST = 32.0  # a reset that got lost shows when the timeouts of the configuration have passed


@fault("backend", (END,))
async def backend_killed(stage: Stage) -> None:
    """Its connections end; new ones go elsewhere; it comes back."""
    server = stage.rng.choice(stage.servers)
    server.kill()
    await asyncio.sleep(stage.rng.uniform(0.5, 3))
    server.start()
    await recovered(stage)


@fault("backend", needs_network=True)
async def backend_drops_connects(stage: Stage) -> None:
    """SYNs get lost: each session is served by another server; established ones notice nothing."""
    server = stage.rng.choice(stage.servers)
    with network.filtered(network.connects_to(server.port)):
        await asyncio.sleep(stage.rng.uniform(2, 6))
    await recovered(stage)


@fault("backend", (END,), grace=LOST, needs_network=True)
async def backend_is_a_black_hole(stage: Stage) -> None:
    """Everything to and from one server gets lost for a while; TCP makes up for it."""
    server = stage.rng.choice(stage.servers)
    with network.filtered(network.everything_at(server.port)):
        await asyncio.sleep(stage.rng.uniform(1, 5))
    await recovered(stage)


@fault("backend", (END,), grace=LOST, needs_network=True)
async def packets_lost(stage: Stage) -> None:
    """5 % of all packets, both sides of the balancer."""
    with network.filtered(network.loss(0.05)):
        await asyncio.sleep(stage.rng.uniform(3, 8))
    await recovered(stage)
