"""The plain check: a connection is established, and ended by RST at once (SO_LINGER 0, so no TIME_WAIT stays).

Where the server expects the PROXY protocol, the check begins with a header: of the check's own addresses in version 1,
"LOCAL" in version 2, as HAProxy has it.
"""

from __future__ import annotations

import errno
import select
import socket
import struct

from fastlb import signing, source
from fastlb._engine import proxy_header
from fastlb.health.verdict import Outcome, Verdict, failure, of_errno
from fastlb.plan.model import Check, Round

_LINGER_ZERO = struct.pack("ii", 1, 0)
_PASSED = Verdict(Outcome.PASS, "L4OK")


class TcpProbe:
    """One check in flight. The runner calls ``start`` once, then ``ready`` on each event, and ``close`` in the end.

    ``events`` is what to wait for, ``connected`` whether the connect is over. ``timeout_status`` is what it means
    when the time is over now. ``hop`` is where the connection goes; ``lingers``: it ends by a FIN.
    """

    __slots__ = ("check", "connected", "events", "hop", "sock", "unsent")

    def __init__(self, check: Check) -> None:
        self.check = check
        self.hop: Check | Round = check
        self.connected = False
        self.events = select.EPOLLOUT
        self.sock: socket.socket | None = None
        self.unsent = b""

    def start(self) -> Verdict | None:
        """Open the socket and connect. None means: wait for ``events``. Raises nothing: an OSError is a verdict."""
        try:
            self._connect()
        except BlockingIOError as error:
            if error.errno == errno.EINPROGRESS:
                return None
            return self._refused(error)
        except OSError as error:
            return self._refused(error)
        return self._established()

    def ready(self) -> Verdict | None:
        """Go on after an event. None means: wait on."""
        assert self.sock is not None
        if self.connected:
            return self.exchange(self.sock)
        number = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        return of_errno(number, connecting=True) if number else self._established()

    def goes_on(self) -> bool:
        """After a success: whether another connection belongs to the check. ``close`` and ``start`` are then next."""
        return False

    @property
    def lingers(self) -> bool:
        return False

    @property
    def timeout_status(self) -> str:
        return "L4TOUT" if not self.connected else "L7TOUT"

    def exchange(self, sock: socket.socket) -> Verdict | None:
        """What follows the connect: first what there is to send, then what there is to read."""
        try:
            if self.unsent:
                self.unsent = self.unsent[sock.send(self.unsent, socket.MSG_NOSIGNAL) :]
            return None if self.unsent else self.answer(sock)
        except BlockingIOError:
            return None
        except OSError as error:
            return of_errno(error.errno or 0, connecting=False)

    def answer(self, sock: socket.socket) -> Verdict | None:
        """All is sent; a plain check expects nothing. May raise OSError."""
        return _PASSED

    def close(self) -> None:
        if self.sock is not None:
            self.sock.close()
            self.sock = None

    def _connect(self) -> None:
        """From the source of the server, if it has one: what hinders that is our own trouble, and EADDRNOTAVAIL."""
        address, origin = self.hop.address, self.hop.source
        for port in source.ports(origin) if origin else (0,):
            self.close()
            self.sock = socket.socket(address.number, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
            if not self.lingers:
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
            if self.check.md5_key and address.number != socket.AF_UNIX:
                signing.set_key(self.sock, self.check.md5_key)
            if origin is not None and not source.can_bind(self.sock, origin, port):
                continue
            try:
                self.sock.connect(address.name)
            except OSError as error:
                if error.errno != errno.EADDRNOTAVAIL:
                    raise
            else:
                return
        raise OSError(errno.EADDRNOTAVAIL, "")

    def _refused(self, error: OSError) -> Verdict:
        return of_errno(error.errno or 0, connecting=True, stream_address=self.hop.address.port == 0)

    def _established(self) -> Verdict | None:
        assert self.sock is not None
        try:
            peer = self.sock.getpeername()
        except OSError:
            return None  # not connected yet: the last look before a timeout comes here without an event
        if self.sock.family != socket.AF_UNIX and peer == self.sock.getsockname():
            # A dead local port inside the ephemeral range can be connected to itself.
            return failure("L4CON", "connected to itself: nothing listens there")
        self.connected = True
        self.unsent = self._header(self.sock) + self.unsent
        return self.exchange(self.sock)

    def _header(self, sock: socket.socket) -> bytes:
        hop = self.hop
        if hop.proxy_version == 1 and sock.family != socket.AF_UNIX:
            return proxy_header(1, source=sock.getsockname()[:2], destination=sock.getpeername()[:2])
        return proxy_header(hop.proxy_version, hop.proxy_crc32c) if hop.proxy_version else b""
