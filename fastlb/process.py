"""Forking without surprises: what a child of the master must undo before it does anything of its own."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NoReturn

import setproctitle

_CAUGHT = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGQUIT, signal.SIGCHLD)


def fork(child: Callable[[], int]) -> int:
    """Forks; the child runs ``child`` and exits with what it returns (70, EX_SOFTWARE, if it raises).

    Signals are blocked across the fork: one that arrived in the child before it has given up the wake-up descriptor
    it shares with the master would wake the master's loop instead.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    previous = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        pid = os.fork()
        if pid == 0:
            _run(child)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, previous)
    return pid


def _run(child: Callable[[], int]) -> NoReturn:
    status = 70
    try:
        forget_signals()
        status = child()
    except BaseException:
        # Not print_exc(): it would read source files through whatever loader is left after a chroot.
        sys.stderr = os.fdopen(2, "w", closefd=False)  # whatever else stood there may have been closed
        sys.__excepthook__(*sys.exc_info())
        sys.stderr.flush()
    finally:
        os._exit(status)


def forget_signals(ignored: Iterable[signal.Signals] = ()) -> None:
    """Undoes the master's signal handling; then nothing is blocked, and ``ignored`` are ignored."""
    signal.set_wakeup_fd(-1)
    for number in _CAUGHT:
        signal.signal(number, signal.SIG_DFL)
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def lives(pid: int) -> bool:
    """Whether there is such a process, whoever's it is."""
    return Path(f"/proc/{pid}").exists()


def keep_only(descriptors: Iterable[int]) -> None:
    """Closes every descriptor but these. A child that keeps a sibling's control socket hides that one's end (P65)."""
    low = 0
    for fd in [*sorted(set(descriptors)), _highest_descriptor() + 1]:
        if low < fd:  # closerange(0, 0) closes everything
            os.closerange(low, fd)
        low = fd + 1


def silence(*descriptors: int) -> None:
    """Makes these standard descriptors /dev/null."""
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    for fd in descriptors:
        os.dup2(null, fd)
    if null not in descriptors:
        os.close(null)


def set_title(text: str) -> None:
    """What ``ps`` shows for this process."""
    setproctitle.setproctitle(f"fastlb: {text}")


def ended(pid: int) -> int | None:
    """The exit status of a child of ours that has ended (negative: the signal that killed it), reaped; else None."""
    try:
        found, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return 0
    return os.waitstatus_to_exitcode(status) if found else None


def open_pidfd(pid: int) -> int:
    """A descriptor for a child of ours that was not waited for yet."""
    return os.pidfd_open(pid)


def send_signal(pidfd: int, number: signal.Signals) -> None:
    """Signals the process behind ``pidfd``, never one that inherited its number; an ended one is no error."""
    try:
        signal.pidfd_send_signal(pidfd, number)
    except ProcessLookupError:
        return


def describe_end(status: int) -> str:
    """``exited with status 1`` or ``was killed by signal 9 (Killed)``."""
    if status >= 0:
        return f"exited with status {status}"
    return f"was killed by signal {-status} ({signal.strsignal(-status) or 'unknown'})"


def _highest_descriptor() -> int:
    try:
        return max(int(entry.name) for entry in Path("/proc/self/fd").iterdir())
    except OSError:
        return os.sysconf("SC_OPEN_MAX")
