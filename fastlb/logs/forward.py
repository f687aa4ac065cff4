"""Log lines over a TCP connection, to a server that may be slow, away for a while, or come back.

Lines wait up to a number of bytes; the newest are lost when that is reached, and counted. A line that was sent in part
when a connection was lost is sent again as a whole. What the kernel had taken of it by then may be lost uncounted: a
receiver of syslog acknowledges nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
from collections.abc import Callable
from itertools import islice

from fastlb.logs.sink import Sink
from fastlb.plan.model import LogStream

RETRY_S = 1.0
_BATCH_LINES = 64


class ForwardSink(Sink):
    """One connection. ``tell`` is called when the server cannot be reached any more, and when it can again."""

    def __init__(self, stream: LogStream, tell: Callable[[str], None]) -> None:
        super().__init__(stream.size)
        self._stream = stream
        self._tell = tell
        self._socket: socket.socket | None = None
        self._connected = False
        self._sent_of_first = 0
        self._reachable = True
        self._timer: asyncio.TimerHandle | None = None

    def write(self, record: bytes) -> None:
        line = record.removesuffix(b"\n")
        super().write(b"%d %b" % (len(line), line) if self._stream.octet_count else record)

    def close(self) -> None:
        super().close()
        self._set_timer(None, 0)
        self._disconnect()

    def _fileno(self) -> int:
        return -1 if self._socket is None else self._socket.fileno()

    def _pump(self) -> bool:
        if self._socket is None and self._timer is None:
            self._connect()
        if self._socket is not None and not self._connected:
            self._look()
        if self._socket is None:
            return True  # time will tell
        return self._connected and self._send()

    def _send(self) -> bool:
        assert self._socket is not None
        while self._waiting:
            data = b"".join(islice(self._waiting, _BATCH_LINES))[self._sent_of_first :]
            try:
                self._sent(self._socket.send(data))
            except BlockingIOError:
                if self._timer is None:
                    self._set_timer(self._give_up, self._stream.server_ms)
                return False
            except OSError as error:
                self._lost(error.errno or 0)
                return True
        self._set_timer(None, 0)
        return True

    def _sent(self, count: int) -> None:
        self._set_timer(None, 0)
        count += self._sent_of_first
        while self._waiting and count >= len(self._waiting[0]):
            count -= len(self._waiting[0])
            self._done(1)
        self._sent_of_first = count

    # The connection

    def _connect(self) -> None:
        address = self._stream.address
        try:
            self._socket = socket.socket(address.number, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        except OSError as failure:  # no descriptor is left
            self._lost(failure.errno or 0)
            return
        error = self._socket.connect_ex(address.name)
        if error not in (0, errno.EINPROGRESS):
            self._lost(error)
        else:
            self._set_timer(self._give_up, self._stream.connect_ms)

    def _look(self) -> None:
        """What has become of an attempt to connect."""
        assert self._socket is not None
        error = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            self._lost(error)
            return
        try:
            self._socket.getpeername()
        except OSError:
            return  # it is still under way
        self._connected = True
        self._set_timer(None, 0)
        if not self._reachable:
            self._reachable = True
            self._tell(f"log {self._stream}: connected again")
        with contextlib.suppress(RuntimeError):
            asyncio.get_running_loop().add_reader(self._socket.fileno(), self._readable)

    def _readable(self) -> None:
        """A receiver of logs says nothing, but that it ends. That is no trouble while there is nothing to send."""
        assert self._socket is not None
        error = 0
        try:
            if self._socket.recv(4096):
                return
        except BlockingIOError:
            return
        except OSError as failure:
            error = failure.errno or 0
        if self._waiting:
            self._lost(error)
        else:
            self._disconnect()

    def _give_up(self) -> None:
        self._timer = None
        self._lost(errno.ETIMEDOUT)

    def _lost(self, error: int) -> None:
        self._disconnect()
        self._set_timer(self._try_again, RETRY_S * 1000)
        if self._reachable:
            self._reachable = False
            reason = os.strerror(error) if error else "the server has closed the connection"
            self._tell(f"log {self._stream}: {reason}; lines wait, up to {self._stream.size} bytes")

    def _try_again(self) -> None:
        self._timer = None
        self.flush()

    def _disconnect(self) -> None:
        self._unwatch()
        self._connected = False
        self._sent_of_first = 0
        if self._socket is not None:
            with contextlib.suppress(RuntimeError):
                asyncio.get_running_loop().remove_reader(self._socket.fileno())
            self._socket.close()
            self._socket = None

    def _set_timer(self, then: Callable[[], None] | None, after_ms: float) -> None:
        """One at a time: the next attempt, the end of this one, or of a server that takes nothing."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if then is not None:
            with contextlib.suppress(RuntimeError):  # without a loop the next line tries
                self._timer = asyncio.get_running_loop().call_later(after_ms / 1000, then)
