"""The balancers that are compared. fastlb and HAProxy read the same configuration text; nginx gets its equivalent."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import fastlb
from bench.daemons import Daemon, answers_http, find_program, free_port
from bench.machine import BALANCER_CPU
from bench.targets import Targets, nginx_head

LB_CONF = """\
global
    nbthread {workers}
    maxconn {sessions}

defaults
    mode tcp
    timeout connect 5s
    timeout client 5m
    timeout server 5m

frontend web
    bind 127.0.0.1:{http_port}
    default_backend web

backend web
    balance roundrobin
    server nginx 127.0.0.1:{http_target}

frontend bulk
    bind 127.0.0.1:{bulk_port}
    default_backend bulk

backend bulk
    balance roundrobin
    server iperf3 127.0.0.1:{bulk_target}
"""

NGINX_STREAM = """\
events {{ worker_connections {connections}; }}
stream {{
    proxy_connect_timeout 5s;
    proxy_timeout 5m;
    server {{ listen 127.0.0.1:{http_port} backlog=4096 reuseport; proxy_pass 127.0.0.1:{http_target}; }}
    server {{ listen 127.0.0.1:{bulk_port} backlog=4096 reuseport; proxy_pass 127.0.0.1:{bulk_target}; }}
}}
"""

STREAM_MODULES = (
    Path("/usr/lib/nginx/modules/ngx_stream_module.so"),
    Path("/usr/lib64/nginx/modules/ngx_stream_module.so"),
)


@dataclass(frozen=True, slots=True)
class Peer:
    """A balancer that can be started. ``kind`` is direct (no process), fastlb, haproxy, nginx or floor."""

    name: str
    kind: str
    program: str = ""


class Running:
    """A peer in front of the targets, with the ports to send load to.

    ``cpus`` is where its workers may run. By default one worker has the balancer's CPU to itself.
    """

    def __init__(
        self,
        peer: Peer,
        targets: Targets,
        folder: Path,
        sessions: int,
        workers: int = 1,
        cpus: Iterable[int] = (BALANCER_CPU,),
    ) -> None:
        self.peer, self.workers, self._cpus = peer, workers, tuple(cpus)
        self._daemon: Daemon | None = None
        self.http_port, self.bulk_port = targets.http_port, targets.bulk_port
        if peer.kind != "direct":
            self._start(targets, folder, sessions)

    @property
    def pid(self) -> int | None:
        return self._daemon.pid if self._daemon else None

    def _start(self, targets: Targets, folder: Path, sessions: int) -> None:
        self.http_port, self.bulk_port = free_port(), free_port()
        values = {
            "sessions": sessions,
            "workers": self.workers,
            "connections": 2 * sessions + 1024,
            "http_port": self.http_port,
            "bulk_port": self.bulk_port,
            "http_target": targets.http_port,
            "bulk_target": targets.bulk_port,
        }
        conf = folder / f"{self.peer.kind}-{self.http_port}.conf"
        conf.write_text(_configuration(self.peer.kind, folder, values))
        self._daemon = Daemon(_command(self.peer, folder, conf, values), self._cpus, conf.with_suffix(".log"))
        self._daemon.wait_until(lambda: answers_http(self.http_port), self.peer.name)

    def stop(self) -> None:
        if self._daemon:
            self._daemon.stop()


def _configuration(kind: str, folder: Path, values: dict[str, int]) -> str:
    if kind != "nginx":
        return LB_CONF.format(**values)
    module = [f"load_module {path};\n" for path in STREAM_MODULES if path.exists()][:1]
    head = nginx_head(folder, f"stream-{values['http_port']}", values["sessions"], values["workers"])
    return "".join(module) + head + NGINX_STREAM.format(**values)


def _command(peer: Peer, folder: Path, conf: Path, values: dict[str, int]) -> list[str]:
    if peer.kind == "floor":
        ports = ("http_port", "http_target", "bulk_port", "bulk_target")
        return [peer.program, *(str(values[port]) for port in ports)]
    if peer.kind == "fastlb":
        # The same fastlb as is imported here, installed or not.
        where = Path(fastlb.__file__).resolve().parent.parent
        return [
            "env",
            f"PYTHONPATH={where}",
            sys.executable,
            "-m",
            "fastlb",
            "-c",
            str(conf),
            "--socket",
            f"{conf}.sock",
        ]
    if peer.kind == "haproxy":
        return [peer.program, "-db", "-f", str(conf)]
    return [peer.program, "-p", str(folder), "-e", "stderr", "-c", str(conf)]


def available_peers() -> list[Peer]:
    """direct, fastlb, every HAProxy named by FASTLB_BENCH_HAPROXY (default: the installed one), nginx with stream."""
    peers = [Peer("direct", "direct")]
    if importlib.util.find_spec("fastlb._engine"):
        peers.append(Peer(f"fastlb {fastlb.__version__}", "fastlb"))
    return peers + _haproxies() + _nginx()


def _haproxies() -> list[Peer]:
    named = [program for program in os.environ.get("FASTLB_BENCH_HAPROXY", "").split(os.pathsep) if program]
    installed = find_program("haproxy")
    programs = named or ([installed] if installed else [])
    return _distinct([Peer(f"haproxy {_version([program, '-v'])}", "haproxy", program) for program in programs])


def _distinct(peers: list[Peer]) -> list[Peer]:
    """Two builds of one version are told apart by their place: figures are kept by name."""
    names = [peer.name for peer in peers]
    return [
        replace(peer, name=f"{peer.name} #{place}") if names.count(peer.name) > 1 else peer
        for place, peer in enumerate(peers, 1)
    ]


def _nginx() -> list[Peer]:
    program = find_program("nginx")
    if program is None or not any(path.exists() for path in STREAM_MODULES):
        return []
    return [Peer(f"nginx {_version([program, '-v'])}", "nginx", program)]


def _version(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = re.search(r"(\d+\.\d+(?:\.\d+|-dev\d+)?)", done.stdout + done.stderr)
    return found[1] if found else "?"
