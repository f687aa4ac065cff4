"""A real server as a process of its own, under an account without rights, in a directory of its own."""

import contextlib
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from ..harness import processes
from ..harness.client import listening
from ..harness.environment import without_preload
from ..harness.waiting import eventually

ACCOUNT = "nobody"


def needs(*programs: str) -> pytest.MarkDecorator:
    """Skip where one of these is not installed. Those of daemons are often outside of PATH."""
    missing = [name for name in programs if not found(name)]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")


def found(program: str) -> str | None:
    return shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


def home(directory: Path, name: str) -> Path:
    """A directory that belongs to the account."""
    path = directory / name
    path.mkdir(mode=0o700)
    shutil.chown(path, ACCOUNT, "nogroup")
    return path


class Program:
    """``words`` is its command; ``str()`` what it has written so far. It is ended by ``ends``, then by SIGKILL."""

    def __init__(
        self, name: str, words: list[str], directory: Path, *,
        listens: tuple[str, int] | None = None, account: str | None = ACCOUNT, ends: int = signal.SIGKILL,
    ) -> None:  # fmt: skip
        self.output_path, self._ends = directory / f"{name}.out", ends
        identity = {"user": account, "group": "nogroup", "extra_groups": []} if account else {}
        with self.output_path.open("ab") as output:
            self.process = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd="/", start_new_session=True,
                env=without_preload(), **identity,
            )  # fmt: skip
        if listens:
            eventually(lambda: self.gone() or listening(listens), f"{name} listens", 20)
            assert not self.gone(), f"{name} has ended: {self}"

    def __str__(self) -> str:
        return self.output_path.read_text(errors="replace")

    def gone(self) -> bool:
        return self.process.poll() is not None

    def family(self) -> list[int]:
        """It and its descendants."""
        found = [self.process.pid]
        for pid in found:
            found += processes.children(pid)
        return found

    def freeze(self) -> None:
        """Nothing of it runs any more; its connections stay, and the kernel goes on accepting for it."""
        _signal(self.family(), signal.SIGSTOP)

    def end(self, ends: int | None = None) -> None:
        """It and its descendants are gone, frozen or not."""
        if self.gone():
            return
        family = self.family()
        self.process.send_signal(ends or self._ends)
        _signal(family, signal.SIGCONT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        _signal(family, signal.SIGKILL)
        self.process.wait()


def _signal(pids: list[int], number: int) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
