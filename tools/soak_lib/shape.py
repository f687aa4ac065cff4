"""The configuration in force: a value that faults change and write out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from soak_lib.servers import Server

MAXCONN = 300  # for all workers together; a fault reaches it
TRACKED = 100  # connections of one client that the stick table may know of: far more than it has, so that a leak shows
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
{all_servers}

listen ruled
    bind 127.0.0.1:{ruled} accept-proxy
    balance hash src
    stick-table type ip size 100 expire 10m store conn_cur,conn_rate(10s),bytes_out_rate(10s)
    tcp-request session track-sc0 src
    tcp-request session reject if {{ sc0_conn_cur gt {tracked} }}
    tcp-request inspect-delay 10s
    tcp-request content set-var(sess.kind) req.payload(0,0),field(1,' ')
    tcp-request content accept if {{ var(sess.kind) -m found }} {{ req.payload(0,0),field(2,' ') -m found }}
    use-server {first} if {{ var(sess.kind) -m str slow }}
    stick on src
{all_servers}

listen chatty
    bind 127.0.0.1:{chatty}
    option kernel-splice
{all_servers}
"""


@dataclass(frozen=True)
class Shape:
    """``servers`` of all proxies, of which ``even`` leaves out the last unless ``all_servers``; ``limit`` is each
    server's maxconn, 0 for none; ``extra`` is a second bind of ``even``, 0 for none."""

    servers: tuple[Server, ...]
    even: int
    least: int
    ruled: int
    chatty: int
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
            workers=self.workers, maxconn=MAXCONN, log=self.log, least=self.least, ruled=self.ruled, tracked=TRACKED,
            chatty=self.chatty, first=self.servers[0].name,
            even_binds="\n".join(f"    bind 127.0.0.1:{port}" for port in binds),
            even_servers="\n".join(map(self._server, here)),
            all_servers="\n".join(map(self._server, self.servers)),
        )  # fmt: skip

    def _server(self, server: Server) -> str:
        limit = f" maxconn {self.limit}" if self.limit else ""
        return f"    server {server.name} {server} check inter 500ms fall 3 rise 2{limit}"
