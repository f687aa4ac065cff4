"""Rendering statistics apart from the master: a forked child computes the text and sends it through a pipe.

Rendering thousands of servers takes seconds of CPU; the master's loop pays for the fork and for reading the pipe. The
child sees the master's memory as it was at the fork, except the statistics mapping, which is not inherited: it makes
its own. At most two run at once, and one that takes too long is killed.
"""

from __future__ import annotations

import asyncio
import fcntl
import gc
import os
import signal
import time
import zlib
from collections.abc import Callable, Sequence

from fastlb import process
from fastlb._engine import Shm
from fastlb.stats import Snapshot

AT_ONCE = 2
TIME_LIMIT_S = 10.0
_READ_BYTES = 1 << 18
_PIPE_BYTES = 1 << 20
_GZIP = 16 + zlib.MAX_WBITS

Render = Callable[[Snapshot], bytes]
TakeSnapshot = Callable[[Shm, float], Snapshot]


class RenderError(Exception):
    """The child failed; the text says how."""


class Renderer:
    """``snapshot`` is called in the child, with the child's own view of the shared memory, and the time of the fork.

    Durations that still go on are told as of that time (CLOCK_MONOTONIC, seconds), as the rest of the child's memory
    is: told as of later they could have ended meanwhile, and the next scrape would go back.
    """

    def __init__(self, snapshot: TakeSnapshot, shm_fd: int, render: Render, keep_fds: Sequence[int] = ()) -> None:
        self._snapshot = snapshot
        self._shm_fd = shm_fd
        self._render = render
        self._keep_fds = keep_fds
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def text(self, compressed: bool) -> bytes:
        """The rendered statistics, gzipped if asked for. Raises RenderError."""
        async with self._slots:
            receiving, sending = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
            now_s = time.monotonic()
            try:
                child = _Child(process.fork(lambda: self._child(sending, compressed, now_s)))
            except OSError as error:
                os.close(receiving)
                raise RenderError(f"cannot fork: {error.strerror}") from error
            finally:
                os.close(sending)
            try:
                return await child.collect(receiving)
            finally:
                os.close(receiving)

    def _child(self, sending: int, compressed: bool, now_s: float) -> int:
        gc.disable()
        process.keep_only((2, sending, self._shm_fd, *self._keep_fds))
        process.set_title("statistics")
        signal.alarm(int(2 * TIME_LIMIT_S))  # should the master be gone
        text = self._render(self._snapshot(Shm(self._shm_fd), now_s))
        if compressed:
            squeeze = zlib.compressobj(1, zlib.DEFLATED, _GZIP)
            text = squeeze.compress(text) + squeeze.flush()
        os.set_blocking(sending, True)
        with open(sending, "wb") as pipe:
            pipe.write(text)
        return 0


class _Child:
    """The master's side of one child. It is reaped when it ends, whether or not somebody still waits for it."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._pidfd = os.pidfd_open(pid)
        self._loop = asyncio.get_running_loop()
        self._status: asyncio.Future[int] = self._loop.create_future()
        self._loop.add_reader(self._pidfd, self._reap)

    async def collect(self, receiving: int) -> bytes:
        """All that the child writes, once it has ended well."""
        try:
            _enlarge(receiving)
            body = await asyncio.wait_for(_read_all(receiving), TIME_LIMIT_S)
            status = await self._status
        except asyncio.TimeoutError as error:
            raise RenderError(f"it took longer than {TIME_LIMIT_S:.0f} s") from error
        finally:
            if not self._status.done():
                process.send_signal(self._pidfd, signal.SIGKILL)
        if status != 0:
            raise RenderError(f"the child {process.describe_end(status)}")
        return body

    def _reap(self) -> None:
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        status = process.ended(self._pid) or 0
        if not self._status.cancelled():
            self._status.set_result(status)


def _enlarge(pipe: int) -> None:
    """Fewer turns of the loop for a big text; the user's limit of pipe memory may forbid it."""
    try:
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    except OSError:
        return


async def _read_all(fd: int) -> bytes:
    loop = asyncio.get_running_loop()
    finished: asyncio.Future[None] = loop.create_future()
    chunks: list[bytes] = []

    def readable() -> None:
        try:
            chunk = os.read(fd, _READ_BYTES)
        except BlockingIOError:
            return
        if chunk:
            chunks.append(chunk)
        elif not finished.done():
            loop.remove_reader(fd)
            finished.set_result(None)

    loop.add_reader(fd, readable)
    try:
        await finished
    finally:
        loop.remove_reader(fd)
    return b"".join(chunks)
