"""Peers that follow a script as far as their connection lets them, and never wait: somebody else turns the engine."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import select
import socket
import struct
import termios
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

CHUNK = 1 << 18


@dataclass(frozen=True)
class Send:
    data: bytes


@dataclass(frozen=True)
class Read:
    """Until so many bytes have come in all, or the end."""

    total: int


@dataclass(frozen=True)
class ReadToEnd:
    pass


@dataclass(frozen=True)
class Finish:
    """Shut down the write side."""


@dataclass(frozen=True)
class Acked:
    """Wait until the other side's kernel has everything that was sent."""


@dataclass(frozen=True)
class Reset:
    pass


Step = Send | Read | ReadToEnd | Finish | Acked | Reset


class Actor:
    """One end of a session. `end` is how the peer's stream ended: "fin", "rst", or "" while it has not.

    It may follow several scripts at once: one that sends and one that reads, say.
    """

    def __init__(self, connection: socket.socket, *scripts: Iterable[Step]) -> None:
        connection.setblocking(False)
        self._connection = connection
        self._scripts = [deque(script) for script in scripts]
        self._at = 0
        self.received = bytearray()
        self.sent = 0
        self.end = ""
        self.finished = False

    def add(self, step: Step, script: int = 0) -> None:
        self._scripts[script].append(step)

    @property
    def idle(self) -> bool:
        """Nothing left to do, though still connected."""
        return not any(self._scripts)

    @property
    def closed(self) -> bool:
        return self._connection.fileno() == -1

    def step(self) -> bool:
        """Go as far as possible. True if anything was done."""
        before = self._progress()
        for script in self._scripts:
            while script and not self.closed and self._try(script[0]):
                script.popleft()
        return before != self._progress()

    def _progress(self) -> tuple[int, int, int]:
        return self.sent, len(self.received), sum(map(len, self._scripts))

    def close(self) -> None:
        self._connection.close()

    def _try(self, step: Step) -> bool:
        """True when the step is done."""
        if isinstance(step, Send):
            return self._send(step.data)
        if isinstance(step, (Read, ReadToEnd)):
            return self._read(step.total if isinstance(step, Read) else None)
        if isinstance(step, Finish):
            return self._finish()
        if isinstance(step, Acked):
            return self._acked()
        self.reset()
        return True

    def _send(self, data: bytes) -> bool:
        try:
            n = self._connection.send(memoryview(data)[self._at : self._at + CHUNK])
        except BlockingIOError:
            return False
        except OSError:
            self._lost()
            return True
        self._at += n
        self.sent += n
        if self._at < len(data):
            return False
        self._at = 0
        return True

    def _read(self, total: int | None) -> bool:
        while not self.end and (total is None or len(self.received) < total):
            size = CHUNK if total is None else min(CHUNK, total - len(self.received))
            try:
                data = self._connection.recv(size)
            except BlockingIOError:
                return False
            except OSError:
                self._lost()
                return True
            self.received += data
            if not data:
                self.end = "fin"
        return True

    def _finish(self) -> bool:
        try:
            self._connection.shutdown(socket.SHUT_WR)
            self.finished = True
        except OSError as error:
            assert error.errno == errno.ENOTCONN
            self._lost()
        return True

    def _acked(self) -> bool:
        poll = select.poll()
        poll.register(self._connection, 0)
        if outgoing(self._connection) and poll.poll(0):
            self._lost()
        return self.closed or outgoing(self._connection) == 0

    def _lost(self) -> None:
        """The connection is gone (the call that said so has eaten the error): what had come before may be read."""
        with contextlib.suppress(OSError):
            while data := self._connection.recv(CHUNK):
                self.received += data
        self.end = self.end or "rst"
        self._connection.close()

    def unread(self) -> int:
        """Bytes that its kernel has for it."""
        return struct.unpack("i", fcntl.ioctl(self._connection, termios.FIONREAD, b"\0\0\0\0"))[0]

    def reset(self) -> None:
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._connection.close()


def outgoing(connection: socket.socket) -> int:
    """Bytes sent and not yet acknowledged."""
    return struct.unpack("i", fcntl.ioctl(connection, termios.TIOCOUTQ, b"\0\0\0\0"))[0]
