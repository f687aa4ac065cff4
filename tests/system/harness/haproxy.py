"""HAProxy in the foreground: the oracle for everything both balancers can do."""

import re
import shutil
import signal
import subprocess
from pathlib import Path

from .client import listening, refused
from .environment import without_preload
from .waiting import eventually

BIND = re.compile(r"^\s*bind\s+(\S+)", re.MULTILINE)


class Haproxy:
    """One running HAProxy."""

    kind = "haproxy"

    def __init__(self, config: str, directory: Path) -> None:
        path = directory / "haproxy.cfg"
        path.write_text(config + "\n")  # HAProxy refuses a last line without LF
        self._output = directory / "haproxy.out"
        command = ["haproxy", "-db", "-f", str(path)]
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                command, stdout=output, stderr=output, stdin=subprocess.DEVNULL, env=without_preload()
            )
        eventually(lambda: self._ended() or _bound(config), "HAProxy listens on every bind", every_s=0.03)
        assert not self._ended(), self._output.read_text()

    def _ended(self) -> bool:
        return self.process.poll() is not None

    @property
    def pid(self) -> int:
        return self.process.pid

    def stop(self) -> None:
        if self._ended():
            raise AssertionError(f"HAProxy died: {self._output.read_text()}")
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(10)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


def _bound(config: str) -> bool:
    addresses = [address for word in BIND.findall(config) for address in word.split(",")]
    paths = [address for address in addresses if address.startswith("/")]
    return listening(*(_tcp(one) for one in addresses if one not in paths)) and not any(map(refused, paths))


def _tcp(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host, int(port.partition("-")[0])


def missing() -> str | None:
    return None if shutil.which("haproxy") else "haproxy is not installed"
