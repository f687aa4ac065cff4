"""One end of a session that knows every byte: what is heard is compared, position by position, with what was said."""

import contextlib
import fcntl
import functools
import random
import select
import socket
import struct
import time

from .client import FIN, RST
from .waiting import PATIENCE, eventually

PERIOD = 1_000_003  # a prime: bytes lost or doubled in blocks of any usual size are seen
QUIET_MS = 60  # longer than a delayed acknowledgement (40 ms): nothing more is on its way
SIOCOUTQ = 0x5411  # tcp(7)


@functools.cache
def text(seed: int) -> bytes:
    """What both ends of a direction know, endlessly repeated; here twice, so that each part of it is in one piece."""
    return random.Random(seed).randbytes(PERIOD) * 2


class Stream:
    """One end: ``sent`` and ``heard`` count the bytes of its two directions so far."""

    def __init__(self, sock: socket.socket, says: int, hears: int) -> None:
        self.sock, self.sent, self.heard = sock, 0, 0
        self.port, self.peer_port = sock.getsockname()[1], sock.getpeername()[1]
        self._says, self._hears = text(says), text(hears)

    def say(self, count: int) -> None:
        self.sock.sendall(self._next(count))
        self.sent += count

    def stuff(self, step: int, pause_s: float) -> None:
        """Say ``step`` bytes at a time until nobody between here and the other end takes another one.

        Where the session has a short timeout it may end meanwhile, which ends this too.
        """
        self.sock.setblocking(False)
        while self._writable():
            with contextlib.suppress(BlockingIOError, ConnectionError):
                self.sent += self.sock.send(self._next(step))
            time.sleep(pause_s)
        self.sock.settimeout(20 * PATIENCE)

    def _next(self, count: int) -> bytes:
        assert count <= PERIOD
        at = self.sent % PERIOD
        return self._says[at : at + count]

    def _writable(self) -> bool:
        return self._events(select.POLLOUT, QUIET_MS) == select.POLLOUT

    def acknowledged(self) -> int:
        """How many of the bytes said the next kernel has."""
        (unsent,) = struct.unpack("i", fcntl.ioctl(self.sock, SIOCOUTQ, b"\0\0\0\0"))
        return self.sent - int(unsent)

    def wait_acknowledged(self) -> None:
        eventually(lambda: self.acknowledged() == self.sent, "all that was said is acknowledged", every_s=0.002)

    def hear(self, count: int) -> None:
        """``count`` more bytes, which must be the right ones."""
        end = self.heard + count
        while self.heard < end:
            assert self._hear_part(min(1 << 18, end - self.heard)), f"ended after {self.heard} of {end} bytes"

    def hear_to_end(self) -> str:
        """The rest, which must be the right bytes, and how it ended: FIN, RST, or FIN+RST when a reset followed."""
        try:
            while self._hear_part(1 << 18):
                pass
        except ConnectionResetError:
            return RST
        return FIN

    def _hear_part(self, most: int) -> int:
        part = self.sock.recv(most)
        assert self._hears.startswith(part, self.heard % PERIOD), f"wrong bytes within {len(part)} after {self.heard}"
        self.heard += len(part)
        return len(part)

    def is_reset(self) -> bool:
        """Whether the connection is dead in both directions, without a look at its bytes."""
        return bool(self._events(0, 0) & (select.POLLHUP | select.POLLERR))

    def _events(self, wanted: int, within_ms: int) -> int:
        poll = select.poll()
        poll.register(self.sock, wanted)
        return dict(poll.poll(within_ms)).get(self.sock.fileno(), 0)

    def finish(self) -> None:
        """FIN; the other direction stays open."""
        self.sock.shutdown(socket.SHUT_WR)


def pair(client: socket.socket, server: socket.socket) -> tuple[Stream, Stream]:
    """The two ends of one session."""
    return Stream(client, 1, 2), Stream(server, 2, 1)
