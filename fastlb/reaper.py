"""What process 1 of a container must do for others: reap orphans that were handed to it (P10)."""

from __future__ import annotations

import os


class Reaper:
    """Reaps zombies that nobody here waits for: those still there a whole interval after they were first seen."""

    def __init__(self) -> None:
        self._suspect = 0

    def tick(self) -> None:
        """To be called every second or so; does nothing unless this is process 1."""
        if os.getpid() == 1:
            self.reap()

    def reap(self) -> int:
        """Reaps at most one orphan; returns its pid, or 0."""
        try:
            found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return 0
        suspect, self._suspect = self._suspect, found.si_pid if found else 0
        if not self._suspect or self._suspect != suspect:
            return 0
        os.waitpid(suspect, os.WNOHANG)
        self._suspect = 0
        return suspect
