"""Launchers: one ``start(config)`` for either balancer, and an orderly end."""

from collections.abc import Sequence
from pathlib import Path

from .fastlb import Fastlb
from .haproxy import Haproxy
from .poison import checked
from .ports import Ports
from .sheet import Sheet, trouble

BASE = """
global
    nbthread 2
defaults
    mode tcp
    timeout connect 5s
    timeout client 20s
    timeout server 20s
"""


class HaproxyLauncher:
    kind = "haproxy"

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._running: list[Haproxy] = []

    def start(self, config: str) -> Haproxy:
        self._running.append(Haproxy(config, self._directory))
        return self._running[-1]

    def finish(self) -> None:
        try:
            for one in self._running:
                one.stop()
        finally:
            for one in self._running:
                one.kill()


class FastlbLauncher:
    kind = "fastlb"

    def __init__(self, directory: Path, ports: Ports) -> None:
        self._directory, self._ports = directory, ports
        self._running: list[tuple[Fastlb, Sheet | None]] = []

    def start(
        self, config: str, *, options: Sequence[str] = (), nofile: int = 0, pass_fds: Sequence[int] = (),
        wait: bool = True, environment: dict[str, str] | None = None, wrapper: Sequence[str] = (),
    ) -> Fastlb:  # fmt: skip
        directory = self._directory / f"fastlb-{len(self._running)}"
        directory.mkdir()
        lb = Fastlb(
            config, directory, self._ports.take(), options=options, nofile=nofile, pass_fds=pass_fds, wait=False,
            environment=environment, wrapper=wrapper,
        )  # fmt: skip
        self._running.append((lb, None))
        if wait:
            lb.wait_ready()
            self._running[-1] = (lb, Sheet(lb))
        return lb

    def sheet(self, lb: Fastlb) -> Sheet:
        """The balance sheet of ``lb``, for tests that change what is normal (another bind, say)."""
        return next(sheet for one, sheet in self._running if one is lb and sheet)

    def finish(self) -> None:
        """Settle, stop, and look for what is left; processes go in any case."""
        try:
            for lb, sheet in self._running:
                _finish(lb, sheet)
        finally:
            for lb, _ in self._running:
                lb.kill_all()
                lb.notify.close()


def _finish(lb: Fastlb, sheet: Sheet | None) -> None:
    if lb.process.poll() is None:
        if sheet:
            sheet.settle()
        lb.stop()
    assert not lb.leftovers(), "processes left behind"
    assert not trouble(lb), lb.output()
    for path in (lb.stdout_path, lb.stderr_path):
        checked(path.read_bytes())
