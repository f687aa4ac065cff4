"""Loading a configuration in a short-lived child, so that a monstrous file costs the master neither time nor memory."""

from __future__ import annotations

import asyncio
import os
import pickle
import resource
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from fastlb import linux, process
from fastlb.plan.load import AS_IT_IS, LoadResult, Reading, load

T = TypeVar("T")

TIMEOUT_S = 30.0
MEMORY_BYTES = 1 << 30  # on top of what the master has mapped


class LoadError(Exception):
    """The child that reads the configuration gave no result: too slow, too big, or it died."""


async def load_apart(paths: Sequence[str], how: Reading = AS_IT_IS, *, timeout_s: float = TIMEOUT_S) -> LoadResult:
    """``load(paths, how)`` in a child. Raises LoadError."""
    return await apart(lambda: load(paths, how), timeout_s)


async def apart(work: Callable[[], T], timeout_s: float = TIMEOUT_S) -> T:
    """What ``work``, which reads a configuration, returns in a child. Raises LoadError."""
    reader, writer = os.pipe()
    try:
        pid = process.fork(lambda: _child(work, writer))
    except OSError as error:
        os.close(reader)
        raise LoadError(f"no process can be started to read the configuration: {error.strerror}") from error
    finally:
        os.close(writer)
    data = None
    try:
        data = await asyncio.wait_for(_read_all(reader), timeout_s)
    except asyncio.TimeoutError:
        raise LoadError(f"reading the configuration takes longer than {timeout_s:.0f} s: given up") from None
    finally:
        os.close(reader)
        status = _end(pid, kill=data is None)
    try:
        result: T = pickle.loads(data)
    except (EOFError, pickle.UnpicklingError):
        raise LoadError(f"the process that reads the configuration {process.describe_end(status)}") from None
    return result


def _child(work: Callable[[], T], writer: int) -> int:
    linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
    process.keep_only((0, 1, 2, writer))
    process.set_title("reading the configuration")
    _limit_memory()
    data = pickle.dumps(work(), protocol=pickle.HIGHEST_PROTOCOL)
    with os.fdopen(writer, "wb") as pipe:
        pipe.write(data)
    return 0


def _limit_memory() -> None:
    # Relative to what is mapped already: a sanitizer's shadow alone is terabytes of address space.
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = mapped + MEMORY_BYTES
    if hard == resource.RLIM_INFINITY or limit < hard:
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


async def _read_all(fd: int) -> bytes:
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    parts: list[bytes] = []

    def readable() -> None:
        part = os.read(fd, 1 << 20)
        parts.append(part)
        if not part:
            loop.remove_reader(fd)
            ended.set()

    loop.add_reader(fd, readable)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(fd)
    return b"".join(parts)


def _end(pid: int, *, kill: bool) -> int:
    """The exit status. After its end of file a child has nothing left to do but to exit."""
    if kill:
        os.kill(pid, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
