"""stdout and stderr as sinks: whatever stands behind them, this process never waits for it.

O_NONBLOCK belongs to the open file description, which a shell or a parent shares with us. So a pipe or a terminal is
opened once more through /proc/self/fd; a socket is written with MSG_DONTWAIT; where neither works the descriptor is
asked with poll() before each write of at most PIPE_BUF bytes, which then does not block.
"""

from __future__ import annotations

import io
import os
import select
import socket
import stat
from collections.abc import Callable
from itertools import accumulate, takewhile
from typing import TextIO

from fastlb.logs.sink import Sink

_STDERR = 2
_PIPE_BUF = 4096
"""Linux writes up to this many bytes to a pipe as a whole or not at all (pipe(7))."""

Write = Callable[[bytes], int]


def _reopen(fd: int) -> int | None:
    """A non-blocking description of our own for a pipe or a character device, if the system lets us."""
    mode = os.fstat(fd).st_mode
    if not (stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)):
        return None  # a second description of a file would have its own offset, and overwrite the first one's lines
    try:
        return os.open(f"/proc/self/fd/{fd}", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except OSError:
        return None


def _writer(fd: int) -> tuple[int, Write, Callable[[], None]]:
    """(descriptor to wait for, how to write, how to close)."""
    if stat.S_ISSOCK(os.fstat(fd).st_mode):
        peer = socket.socket(fileno=os.dup(fd))
        return peer.fileno(), lambda data: peer.send(data, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL), peer.close
    own = _reopen(fd)
    if own is not None:
        return own, lambda data: os.write(own, data), lambda: os.close(own)
    return _polled(os.dup(fd))


def _polled(fd: int) -> tuple[int, Write, Callable[[], None]]:
    poll = select.poll()
    poll.register(fd, select.POLLOUT)

    def write(data: bytes) -> int:
        if not poll.poll(0):
            raise BlockingIOError
        return os.write(fd, data)

    return fd, write, lambda: os.close(fd)


class StreamSink(Sink):
    """Lines to one descriptor. Several lines go out in one write, and a line that was cut is completed first."""

    def __init__(self, fd: int) -> None:
        super().__init__()
        self._fd, self._write, self._close = _writer(fd)

    def close(self) -> None:
        super().close()
        self._close()

    def _fileno(self) -> int:
        return self._fd

    def _pump(self) -> bool:
        while self._waiting:
            count = sum(1 for _ in takewhile(lambda size: size <= _PIPE_BUF, accumulate(map(len, self._waiting))))
            data = b"".join(self._waiting[i] for i in range(max(count, 1)))
            try:
                written = self._write(data)
            except BlockingIOError:
                return False
            except OSError:  # the reader is gone, or the disk is full
                self._lose(max(count, 1))
                continue
            self._consume(written)
        return True

    def _consume(self, written: int) -> None:
        while written > 0:
            head = self._waiting.popleft()
            self._waiting_bytes -= min(len(head), written)
            if written < len(head):
                self._waiting.appendleft(head[written:])
            written -= len(head)


class TextSink(Sink):
    """A text stream without a descriptor, such as one that a caller collects messages in."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream

    def _fileno(self) -> int:
        return -1

    def _pump(self) -> bool:
        while self._waiting:
            self._stream.write(self._waiting[0].decode("ascii", "replace"))
            self._done(1)
        self._stream.flush()
        return True


class ClosedSink(Sink):
    """Nothing is open there: every line is lost."""

    def _fileno(self) -> int:
        return -1

    def _pump(self) -> bool:
        self._lose(len(self._waiting))
        return True


def open_fd(fd: int) -> Sink:
    """The sink for a descriptor; one that is not there loses every line."""
    try:
        return StreamSink(fd)
    except OSError:
        return ClosedSink()


def open_inherited(fd: int) -> Sink:
    """The same for one that this process was started with.

    Of others that have its number none is written to: those that Python and the engine open are closed on exec.
    """
    try:
        inherited = fd <= _STDERR or os.get_inheritable(fd)
    except OSError:
        inherited = False
    return open_fd(fd) if inherited else ClosedSink()


def open_text(stream: TextIO) -> Sink:
    """The sink for a Python stream: its descriptor if it has one."""
    try:
        return open_fd(stream.fileno())
    except (io.UnsupportedOperation, ValueError, AttributeError):
        return TextSink(stream)
