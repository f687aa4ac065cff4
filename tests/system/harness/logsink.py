"""A syslog server inside the test, and HAProxy's tcplog lines taken apart."""

import contextlib
import re
import socket
from dataclasses import dataclass

from .poison import checked
from .waiting import eventually

TCPLOG = re.compile(
    r"(?P<client>\S+):(?P<client_port>\d+) \[(?P<accepted>[^]]+)\] "
    r"(?P<frontend>\S+) (?P<backend>[^/\s]+)/(?P<server>\S+) "
    r"(?P<queue_ms>-?\d+)/(?P<connect_ms>-?\d+)/(?P<total_ms>\d+) (?P<bytes>\d+) (?P<state>\S\S) "
    r"(?P<process>\d+)/(?P<in_frontend>\d+)/(?P<in_backend>\d+)/(?P<in_server>\d+)/(?P<retries>\+?\d+) "
    r"(?P<server_queue>\d+)/(?P<backend_queue>\d+)$"
)


@dataclass(frozen=True)
class Session:
    """One tcplog line (manual 8.2.2). ``retries`` keeps its ``+`` (redispatched); times are ms, -1 = not reached."""

    client: str
    client_port: int
    accepted: str
    frontend: str
    backend: str
    server: str
    queue_ms: int
    connect_ms: int
    total_ms: int
    bytes: int
    state: str
    process: int
    in_frontend: int
    in_backend: int
    in_server: int
    retries: str
    server_queue: int
    backend_queue: int


def session(line: str) -> Session | None:
    """The session a line speaks of, or None for other lines (health, start, …)."""
    match = TCPLOG.search(line)
    if not match:
        return None
    texts = {"client", "accepted", "frontend", "backend", "server", "state", "retries"}
    return Session(**{key: value if key in texts else int(value) for key, value in match.groupdict().items()})


class LogSink:
    """A datagram socket that keeps what it gets: UDP on ``port``, or a unix socket at ``path``."""

    def __init__(self, port: int = 0, path: str = "") -> None:
        self._socket = socket.socket(socket.AF_UNIX if path else socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        self._socket.bind(path or ("127.0.0.1", port))
        self._socket.setblocking(False)
        self._address = path or f"127.0.0.1:{port}"
        self._lines: list[str] = []

    def __str__(self) -> str:
        return self._address

    def lines(self) -> list[str]:
        """Every datagram so far, as text."""
        with contextlib.suppress(BlockingIOError):
            while True:
                self._lines.append(checked(self._socket.recv(65536)).decode(errors="replace").rstrip("\n"))
        return self._lines

    def sessions(self) -> list[Session]:
        return [found for line in self.lines() if (found := session(line))]

    def wait_sessions(self, count: int, within_s: float = 10) -> list[Session]:
        eventually(lambda: len(self.sessions()) >= count, f"{count} session lines", within_s)
        return self.sessions()

    def wait_line(self, pattern: str, within_s: float = 10) -> str:
        """The first line that matches."""

        def found() -> list[str]:
            return [line for line in self.lines() if re.search(pattern, line)]

        return eventually(found, f"a log line like {pattern!r}", within_s)[0]

    def close(self) -> None:
        self._socket.close()
