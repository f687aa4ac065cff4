"""The configuration in force: a value that faults change and write out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from soak_lib.servers import Server

MAXCONN = 300  # for all workers together; a fault reaches it
NOFILE = 1024

TEXT = """\
global
    nbthread {workers}
    maxconn {maxconn}
    hard-stop-after 150s
    log {log} local0

defaults
    mode tcp
    log global
    option tcplog
    option redispatch
    retries 3
    timeout connect 3s
    timeout client 25s
    timeout server 25s
    timeout queue 30s

listen even
{even_binds}
    balance roundrobin
{even_servers}

listen least
    bind 127.0.0.1:{least}
    balance leastconn
{least_servers}
"""


@dataclass(frozen=True)
class Shape:
    """``servers`` of both proxies, of which ``even`` leaves out the last unless ``all_servers``; ``limit`` is each
    server's maxconn, 0 for none; ``extra`` is a second bind of ``even``, 0 for none."""

    servers: tuple[Server, ...]
    even: int
    least: int
    log: Path
    workers: int = 2
    all_servers: bool = True
    limit: int = 0
    extra: int = 0

    def text(self) -> str:
        """As a file."""
        binds = [port for port in (self.even, self.extra) if port]
        here = self.servers if self.all_servers else self.servers[:-1]
        return TEXT.format(
            workers=self.workers, maxconn=MAXCONN, log=self.log, least=self.least,
            even_binds="\n".join(f"    bind 127.0.0.1:{port}" for port in binds),
            even_servers="\n".join(map(self._server, here)),
            least_servers="\n".join(map(self._server, self.servers)),
        )  # fmt: skip

    def _server(self, server: Server) -> str:
        limit = f" maxconn {self.limit}" if self.limit else ""
        return f"    server {server.name} {server} check inter 500ms fall 3 rise 2{limit}"
