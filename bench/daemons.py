"""Child processes of a benchmark: started on their CPUs, waited for until they answer, stopped by their own id."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

START_SECONDS = 20.0
STOP_SECONDS = 10.0


def find_program(name: str) -> str | None:
    """A program by name; daemons live in directories that an ordinary user's PATH may lack."""
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Daemon:
    """One service in the foreground. Its output goes to ``log``, which is quoted when it does not start."""

    def __init__(self, command: Sequence[str], cpus: Iterable[int], log: Path) -> None:
        self._log = log
        allowed = frozenset(cpus)
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=log.parent,
                preexec_fn=lambda: os.sched_setaffinity(0, allowed),
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait_until(self, ready: Callable[[], bool], what: str) -> None:
        """Return when ``ready`` says so; RuntimeError with the service's output when it does not come up."""
        deadline = time.monotonic() + START_SECONDS
        while not ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"{what} did not start:\n{self._log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.02)

    def stop(self) -> None:
        if self._process.poll() is None:
            self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def answers_http(port: int) -> bool:
    """Whether a whole request through this port is answered, so that a balancer without its server is not ready."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as client:
            client.sendall(b"GET /5 HTTP/1.0\r\n\r\n")
            return client.recv(64).startswith(b"HTTP/1.1 200")
    except OSError:
        return False
