"""What all sinks share: a bounded backlog before a descriptor that is never waited for.

A sink that is stuck loses lines, and counts them; it delays nothing. What could not be written at once is tried again
when the event loop says that the descriptor is writable (without a running loop: at the next line).
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import deque

BACKLOG_BYTES = 1 << 20


class Sink(ABC):
    """``dropped`` counts lines that were lost. ``flush`` is to be called once after a batch of ``write``."""

    def __init__(self, limit: int = BACKLOG_BYTES) -> None:
        self.dropped = 0
        self._limit = limit
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._watched: tuple[asyncio.AbstractEventLoop, int] | None = None

    def write(self, record: bytes) -> None:
        """Take one line (or one datagram) in; the newest are lost when the backlog is full."""
        if self._waiting_bytes + len(record) > self._limit:
            self.dropped += 1
            return
        self._waiting.append(record)
        self._waiting_bytes += len(record)

    def flush(self) -> None:
        """Write what can be written without waiting."""
        if self._watched is None and self._waiting and not self._pump():
            self._watch()

    def close(self) -> None:
        """Try once more, then give up what is left."""
        self._unwatch()
        if self._waiting:
            self._pump()
        self._lose(len(self._waiting))

    @abstractmethod
    def _pump(self) -> bool:
        """Write from ``_waiting``; False if the rest must wait until the descriptor is writable."""

    @abstractmethod
    def _fileno(self) -> int:
        """The descriptor to wait for, or -1."""

    def _done(self, records: int) -> None:
        """The first ``records`` of the backlog are written."""
        for _ in range(records):
            self._waiting_bytes -= len(self._waiting.popleft())

    def _lose(self, records: int) -> None:
        """The first ``records`` of the backlog cannot be written."""
        self._done(records)
        self.dropped += records

    def _writable(self) -> None:
        self._unwatch()
        self.flush()

    def _watch(self) -> None:
        try:
            loop, fd = asyncio.get_running_loop(), self._fileno()
            if fd >= 0:
                loop.add_writer(fd, self._writable)
                self._watched = (loop, fd)
        except (RuntimeError, OSError):
            return  # no loop runs, or epoll refuses the descriptor (a regular file): the next line tries again

    def _unwatch(self) -> None:
        if self._watched is not None:
            loop, fd = self._watched
            self._watched = None
            if not loop.is_closed():
                loop.remove_writer(fd)
