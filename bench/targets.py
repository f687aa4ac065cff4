"""What the load is sent to: nginx with fixed answers and an iperf3 server, both on the load's CPU."""

from __future__ import annotations

import os
from pathlib import Path

from bench.daemons import Daemon, answers_http, find_program, free_port, listens
from bench.machine import LOAD_CPU

NGINX_HEAD = """\
{user}
daemon off;
pid {folder}/nginx-{name}.pid;
error_log stderr warn;
worker_processes {workers};
worker_rlimit_nofile {descriptors};
"""

NGINX_HTTP = """\
events {{ worker_connections {connections}; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_timeout 1h;
    keepalive_requests 1000000000;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        root {folder};
        location = /5 {{ return 200 "ping!"; }}
    }}
}}
"""

# Answers that are files: from the size of a chat message to bulk, each four times the one before.
ANSWERS = {"64": 64, "256": 256, "1k": 1 << 10, "4k": 4 << 10, "16k": 16 << 10, "64k": 64 << 10,
           "256k": 256 << 10, "1m": 1 << 20}  # fmt: skip


def nginx_head(folder: Path, name: str, sessions: int, workers: int = 1) -> str:
    """The part that both nginx in front and nginx behind have. As root its worker must be able to read ``folder``."""
    user = "user root;" if os.geteuid() == 0 else ""
    descriptors = 2 * sessions + 1024
    return NGINX_HEAD.format(user=user, folder=folder, name=name, workers=workers, descriptors=descriptors)


class Targets:
    """Both servers, up and answering. ``sessions`` is how many connections they must hold at once."""

    def __init__(self, folder: Path, sessions: int) -> None:
        self.http_port, self.bulk_port = free_port(), free_port()
        for name, size in ANSWERS.items():
            (folder / name).write_bytes(os.urandom(size))
        self._nginx = self._start_nginx(folder, sessions)
        try:
            self._iperf3 = self._start_iperf3(folder)
        except BaseException:
            self._nginx.stop()
            raise

    def _start_nginx(self, folder: Path, sessions: int) -> Daemon:
        conf = folder / "nginx-target.conf"
        http = NGINX_HTTP.format(folder=folder, port=self.http_port, connections=sessions + 1024)
        conf.write_text(nginx_head(folder, "target", sessions) + http)
        command = [find_program("nginx") or "nginx", "-p", str(folder), "-e", "stderr", "-c", str(conf)]
        daemon = Daemon(command, [LOAD_CPU], folder / "nginx-target.log")
        daemon.wait_until(lambda: answers_http(self.http_port), "nginx as web server")
        return daemon

    def _start_iperf3(self, folder: Path) -> Daemon:
        command = ["iperf3", "-s", "-B", "127.0.0.1", "-p", str(self.bulk_port)]
        daemon = Daemon(command, [LOAD_CPU], folder / "iperf3.log")
        daemon.wait_until(lambda: listens(self.bulk_port), "iperf3 server")
        return daemon

    def close(self) -> None:
        self._iperf3.stop()
        self._nginx.stop()
