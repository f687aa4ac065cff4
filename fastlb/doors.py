"""Connections to the master's HTTP addresses: bounded in number, and each in time.

Nothing here blocks, and nothing logs: junk from the network is not our alarm.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

CONNECTIONS = 128
HEADER_TIME_S = 4.0


class TimedConnection(asyncio.Protocol):
    """One client's connection, one of ``others``; aborted when its time is over, at once if it is one too many."""

    def __init__(self, others: set[TimedConnection]) -> None:
        self._others = others
        self._alarm: asyncio.TimerHandle | None = None
        self.client: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.client = transport
        if len(self._others) >= CONNECTIONS:
            transport.abort()
            return
        self._others.add(self)
        self.set_alarm(HEADER_TIME_S)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._others.discard(self)
        self.client = None
        if self._alarm is not None:
            self._alarm.cancel()

    def abort(self) -> None:
        """End it at once."""
        if self.client is not None:
            self.client.abort()

    def set_alarm(self, seconds: float) -> None:
        """From now on it has so much time."""
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = asyncio.get_running_loop().call_later(seconds, self.abort)


Endpoint = TypeVar("Endpoint")


def door(
    make: Callable[[Endpoint, set[TimedConnection]], TimedConnection], endpoint: Endpoint
) -> tuple[Callable[[], asyncio.Protocol], Callable[[], Awaitable[None]]]:
    """(what makes the protocol of each connection, what ends all connections)."""
    connections: set[TimedConnection] = set()

    async def end() -> None:
        for connection in list(connections):
            connection.abort()

    return lambda: make(endpoint, connections), end
