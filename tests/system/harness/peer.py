"""Starting servers/peer.py: an independent server in a process of its own."""

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from .environment import without_preload
from .waiting import eventually

SCRIPT = Path(__file__).parent.parent / "servers" / "peer.py"


class Peer:
    """One server process. ``str(peer)`` is its address as a configuration writes it."""

    def __init__(self, behaviour: str, name: str, port: int | str, events: Path, host: str = "127.0.0.1") -> None:
        self.behaviour, self.name, self.host, self.port, self.events_path = behaviour, name, host, port, events
        self.start()

    def __str__(self) -> str:
        if isinstance(self.port, str):
            return self.port
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def start(self) -> None:
        """Bind and run; also again after ``stop`` or ``kill``, on the same address."""
        with self._listener() as listener:
            words = [self.behaviour, self.name, str(listener.fileno()), str(self.events_path)]
            command = [sys.executable, "-I", "-S", str(SCRIPT), *words]
            self.process = subprocess.Popen(
                command, pass_fds=[listener.fileno()], stdin=subprocess.DEVNULL, env=without_preload()
            )

    def _listener(self) -> socket.socket:
        if isinstance(self.port, str):
            Path(self.port).unlink(missing_ok=True)
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(self.port)
            Path(self.port).chmod(0o666)
        else:
            listener = socket.socket(socket.AF_INET6 if ":" in self.host else socket.AF_INET)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((self.host, self.port))
        listener.listen(4096)
        return listener

    def stop(self) -> None:
        """End it; connections to its address are refused from then on."""
        self.process.kill()
        self.process.wait()

    def freeze(self) -> None:
        """Accepts no more and answers nothing: the kernel still completes handshakes."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def events(self) -> list[dict[str, Any]]:
        """What its finished connections reported."""
        if not self.events_path.exists():
            return []
        return [json.loads(line) for line in self.events_path.read_text().splitlines()]

    def wait_events(self, count: int, within_s: float = 15) -> list[dict[str, Any]]:
        what = f"{count} finished connections at {self.name}"
        eventually(lambda: len(self.events()) >= count, what, within_s)
        return self.events()
