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
SIOCOUTQ, SIOCOUTQNSD = 0x5411, 0x894B  # bytes not acknowledged, bytes not even sent (tcp(7), linux/sockios.h)
NETLINK_SOCK_DIAG, SOCK_DIAG_BY_FAMILY, NO_COOKIE = 4, 20, 0xFFFFFFFF


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

    def stuff(self, step: int, in_step: bool = False) -> None:
        """Say ``step`` bytes at a time until nobody between here and the other end takes another one.

        ``in_step``: each is read by the next program before the following one, for as long as it reads. Where the
        session has a short timeout it may end meanwhile, which ends this too.
        """
        while in_step and self._is_read():
            self.say(step)
        self.sock.setblocking(False)
        while self._writable():
            with contextlib.suppress(BlockingIOError, ConnectionError):
                self.sent += self.sock.send(self._next(step))
        self.sock.settimeout(20 * PATIENCE)

    def _next(self, count: int) -> bytes:
        assert count <= PERIOD
        at = self.sent % PERIOD
        return self._says[at : at + count]

    def _is_read(self) -> bool:
        """Whether what was said leaves the next kernel's receive queue before long."""
        deadline = time.monotonic() + QUIET_MS / 1000
        while self._queued(SIOCOUTQNSD) or unread(self.peer_port, self.port):
            if time.monotonic() > deadline:
                return False
        return True

    def _writable(self) -> bool:
        return self._events(select.POLLOUT, QUIET_MS) == select.POLLOUT

    def acknowledged(self) -> int:
        """How many of the bytes said the next kernel has."""
        return self.sent - self._queued(SIOCOUTQ)

    def _queued(self, which: int) -> int:
        (count,) = struct.unpack("i", fcntl.ioctl(self.sock, which, b"\0\0\0\0"))
        return int(count)

    def wait_acknowledged(self) -> None:
        eventually(lambda: self.acknowledged() == self.sent, "all that was said is acknowledged", every_s=0.002)

    def wait_steady(self) -> None:
        """Until nothing more is acknowledged (a full path still takes a little at each probe)."""
        before = -1
        while before != (now := self.acknowledged()):
            before = now
            time.sleep(QUIET_MS / 1000)

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


def unread(port: int, peer_port: int) -> int:
    """Bytes in the receive queue of the connection between these ports of 127.0.0.1, whoever has it (sock_diag(7))."""
    here = socket.inet_aton("127.0.0.1") + bytes(12)
    connection = struct.pack("!HH16s16s", port, peer_port, here, here) + struct.pack("=III", 0, NO_COOKIE, NO_COOKIE)
    request = struct.pack("=BBBBI", socket.AF_INET, socket.IPPROTO_TCP, 0, 0, 0xFFFFFFFF) + connection
    with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, NETLINK_SOCK_DIAG) as diag:
        diag.send(struct.pack("=IHHII", 16 + len(request), SOCK_DIAG_BY_FAMILY, 1, 0, 0) + request)
        answer = diag.recv(4096)
    (kind,) = struct.unpack_from("=H", answer, 4)
    return int(struct.unpack_from("=I", answer, 16 + 56)[0]) if kind == SOCK_DIAG_BY_FAMILY else 0


def pair(client: socket.socket, server: socket.socket) -> tuple[Stream, Stream]:
    """The two ends of one session."""
    return Stream(client, 1, 2), Stream(server, 2, 1)
