"""``daemon``: into the background, with the parent staying until it is known whether the service runs."""

from __future__ import annotations

import os
from collections.abc import Callable

from fastlb import process


def into_background() -> Callable[[], None]:
    """Forks. The parent exits: with 0 when the returned function is called in the child, else with the child's status.

    To be called before there is an event loop, which does not survive a fork. The returned function also gives up the
    terminal: what is said from then on reaches the log targets only.
    """
    reader, writer = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writer)
        _wait(pid, reader)
    os.close(reader)
    os.setsid()

    def started() -> None:
        process.silence(0, 1, 2)
        os.write(writer, b"\0")
        os.close(writer)

    return started


def _wait(pid: int, reader: int) -> None:
    if os.read(reader, 1):
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    os._exit(code if code > 0 else 1)
