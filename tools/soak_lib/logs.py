"""Where the balancer's log lines go: a unix datagram socket that is read, except while a fault says not to."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from pathlib import Path

from harness.sheet import TROUBLE


class LogSink:
    """Counts lines and keeps those that speak of trouble."""

    def __init__(self, path: Path) -> None:
        self.path, self.lines = path, 0
        self._trouble: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.setblocking(False)

    def read(self) -> None:
        """From now on."""
        asyncio.get_running_loop().add_reader(self._socket, self._take)

    def stick(self) -> None:
        """Read nothing: its queue fills up."""
        asyncio.get_running_loop().remove_reader(self._socket)

    def _take(self) -> None:
        with contextlib.suppress(BlockingIOError):
            for _ in range(200):
                line = self._socket.recv(65536).decode(errors="replace")
                self.lines += 1
                if any(word.lower() in line.lower() for word in TROUBLE):
                    self._trouble.append(line)

    def new_trouble(self) -> list[str]:
        found, self._trouble = self._trouble, []
        return found

    def close(self) -> None:
        self.stick()
        self._socket.close()
