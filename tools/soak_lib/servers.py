"""The servers as the soak sees them: start, kill, start again, and read what they complain of."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

TOOLS = Path(__file__).parent.parent


@dataclass(frozen=True)
class Complaint:
    """Something that a server did not expect: when (time.monotonic), and what."""

    at: float
    what: str
    detail: str


class Server:
    """One server process; ``str()`` is its address."""

    def __init__(self, name: str, port: int, directory: Path) -> None:
        self.name, self.port = name, port
        self._events = directory / f"{name}.events"
        self._events.touch()
        self._read = 0
        self.start()

    def __str__(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Bind and run; also again after ``kill``, at the same address."""
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("127.0.0.1", self.port))
            listener.listen(4096)
            words = ["-m", "soak_lib.server", self.name, str(listener.fileno()), str(self._events)]
            environment = {key: value for key, value in os.environ.items() if key != "LD_PRELOAD"}
            self.process = subprocess.Popen(
                [sys.executable, "-S", *words], pass_fds=[listener.fileno()], stdin=subprocess.DEVNULL,
                env={**environment, "PYTHONPATH": str(TOOLS)}, start_new_session=True,
            )  # fmt: skip

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def complaints(self) -> list[Complaint]:
        """Those that were made since the last call."""
        with self._events.open("rb") as file:
            file.seek(self._read)
            text = file.read()
        whole = text[: text.rfind(b"\n") + 1]
        self._read += len(whole)
        events = [json.loads(line) for line in whole.splitlines()]
        return [Complaint(event["at"], event["what"], f"{event['server']}: {event['detail']}") for event in events]
