"""Syslog sinks: one datagram a line, to UDP or to a unix socket such as /dev/log. Addresses are numeric or paths."""

from __future__ import annotations

import errno
import socket
import time

from fastlb.logs.sink import Sink
from fastlb.plan.model import Address

_RECONNECT_SECONDS = 0.1


class DatagramSink(Sink):
    """A connected socket, made anew when the receiver has gone and come back (a restarted syslog daemon)."""

    def __init__(self, address: Address) -> None:
        super().__init__()
        self._address = address
        self._socket: socket.socket | None = None
        self._tried_at = float("-inf")

    def close(self) -> None:
        super().close()
        self._disconnect()

    def _fileno(self) -> int:
        return -1 if self._socket is None else self._socket.fileno()

    def _pump(self) -> bool:
        while self._waiting:
            if self._socket is None and not self._connect():
                self._lose(len(self._waiting))
                return True
            try:
                self._send(self._waiting[0])
            except BlockingIOError:
                return False
            except OSError as error:
                self._failed(error)
            else:
                self._done(1)
        return True

    def _send(self, record: bytes) -> None:
        assert self._socket is not None
        try:
            self._socket.send(record)
        except ConnectionRefusedError:
            if self._address.family not in ("inet", "inet6"):
                raise
            # The network's answer to an earlier datagram; this one has not been sent.
            self._socket.send(record)

    def _failed(self, error: OSError) -> None:
        if error.errno in (errno.EMSGSIZE, errno.ENOBUFS) or self._address.family in ("inet", "inet6"):
            self._lose(1)
            return
        self._disconnect()
        if not self._connect():
            self._lose(1)

    def _connect(self) -> bool:
        now = time.monotonic()
        if now - self._tried_at < _RECONNECT_SECONDS:
            return False
        self._tried_at = now
        try:
            self._socket = socket.socket(self._address.number, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
            self._socket.connect(self._address.name)
        except OSError:
            self._disconnect()
            return False
        return True

    def _disconnect(self) -> None:
        self._unwatch()
        if self._socket is not None:
            self._socket.close()
            self._socket = None
