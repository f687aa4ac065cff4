"""Forking: what a child has left of its parent, and how its end is read."""

import os
import signal
import time

import pytest

from fastlb import backoff, process
from fastlb.reaper import Reaper


def status_of(child):
    pid = process.fork(child)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_status_is_what_the_child_returns():
    assert status_of(lambda: 7) == 7


def test_a_child_that_raises_exits_with_70(capfd):
    assert status_of(lambda: 1 // 0) == 70
    assert "ZeroDivisionError" in capfd.readouterr().err


def test_signals_are_forgotten():
    def child():
        default = all(signal.getsignal(one) == signal.SIG_DFL for one in (signal.SIGTERM, signal.SIGUSR1))
        return 0 if default and not signal.pthread_sigmask(signal.SIG_BLOCK, ()) else 1

    previous = signal.signal(signal.SIGUSR1, lambda *_: None)
    try:
        assert status_of(child) == 0
        assert not signal.pthread_sigmask(signal.SIG_BLOCK, ())
    finally:
        signal.signal(signal.SIGUSR1, previous)


@pytest.mark.parametrize("kept", [(), (0,), (0, 1, 2), (2, 5)])
def test_keep_only(kept):
    def child():
        for fd in range(3, 12):
            os.dup2(1, fd)
        process.keep_only(kept)
        os.open("/proc/self/fd", os.O_RDONLY)  # one more, the lowest free
        left = {fd for fd in range(40) if _is_open(fd)}
        return len(left - set(kept)) - 1 + 10 * len(set(kept) - left)

    assert status_of(child) == 0


def _is_open(fd):
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def test_ended_does_not_wait():
    pid = process.fork(lambda: time.sleep(60) or 0)
    assert process.ended(pid) is None
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert process.ended(pid) == -9


def test_signal_to_an_ended_process_is_no_error():
    pid = process.fork(lambda: 0)
    pidfd = process.open_pidfd(pid)
    os.waitpid(pid, 0)
    process.send_signal(pidfd, signal.SIGKILL)
    os.close(pidfd)


def test_ends_in_words():
    assert process.describe_end(3) == "exited with status 3"
    assert process.describe_end(-9) == "was killed by signal 9 (Killed)"


def test_orphans_are_reaped_when_nobody_else_did():
    pid = process.fork(lambda: 0)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    reaper = Reaper()
    assert [reaper.reap(), reaper.reap(), reaper.reap()] == [0, pid, 0]


def test_backoff_doubles_to_its_end_and_forgets_after_health():
    history = backoff.Backoff()
    delays = [history.next_delay_s(0.0, spread=0.0) for _ in range(8)]
    assert delays == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]
    assert history.next_delay_s(backoff.HEALTHY_S, spread=0.0) == 0.1
    assert backoff.Backoff().next_delay_s(0.0, spread=1.0) == pytest.approx(0.125)
    assert all(0.075 <= backoff.Backoff().next_delay_s(0.0) <= 0.125 for _ in range(100))
