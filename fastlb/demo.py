"""``fastlb demo``: two small web servers that say ping! and pong!, and the balancer in front of them."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from fastlb import launch, linux, process
from fastlb.settings import Settings, metrics_bind

_HOST = "127.0.0.1"
_CONFIGURATION = """\
frontend ping_front
    mode tcp
    bind {front}
    default_backend ping

backend ping
    mode tcp
    balance roundrobin
    server pingv1 {ping}/hey check
    server pongv1 {pong}/hey check
"""


def run(port: int) -> int:
    """Runs the demo on ``port`` (0: a free one) until it is interrupted; returns the exit status."""
    servers = [_listen(0), _listen(0)]
    front = f"{_HOST}:{port or _free_port()}"
    pid = process.fork(lambda: _serve(servers))
    pidfd = process.open_pidfd(pid)
    try:
        with tempfile.TemporaryDirectory(prefix="fastlb-demo-") as directory:
            return _balance(Path(directory), front, servers)
    finally:
        process.send_signal(pidfd, signal.SIGTERM)
        os.close(pidfd)
        os.waitpid(pid, 0)


def _balance(directory: Path, front: str, servers: Sequence[socket.socket]) -> int:
    ping, pong = ("{}:{}".format(*server.getsockname()) for server in servers)
    for server in servers:
        server.close()
    path = directory / "demo.conf"
    path.write_text(_CONFIGURATION.format(front=front, ping=ping, pong=pong))
    metrics = f"{_HOST}:{_free_port()}" if _has_metrics() else ""
    settings = Settings(
        paths=(str(path),),
        socket=str(directory / "demo.sock"),
        metrics=(metrics_bind(metrics),) if metrics else (),
    )
    print(f"{path} says:\n\n{path.read_text()}", file=sys.stderr)
    return launch.run(settings, lambda: print(_invitation(front, metrics, ping, pong), flush=True))


def _invitation(front: str, metrics: str, ping: str, pong: str) -> str:
    measured = f"http://{metrics}/metrics" if metrics else "off: pip install 'fastlb[metrics]'"
    return f"""
  balancer   http://{front}/   (open it a few times: ping!, pong!, ping!, …)
  metrics    {measured}
  servers    http://{ping}/ and http://{pong}/

Ctrl-C ends it."""


def _has_metrics() -> bool:
    return all(importlib.util.find_spec(name) for name in ("h11", "prometheus_client"))


def _listen(port: int) -> socket.socket:
    sock = socket.socket()
    sock.bind((_HOST, port))
    sock.listen(1024)
    return sock


def _free_port() -> int:
    with _listen(0) as sock:
        return int(sock.getsockname()[1])


def _serve(servers: Sequence[socket.socket]) -> int:
    """The life of the child that is both web servers; it ends with the demo."""
    process.forget_signals([signal.SIGINT, signal.SIGHUP])
    linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGTERM)
    process.set_title("demo servers")
    asyncio.run(_serve_both(servers))
    return 0


async def _serve_both(servers: Sequence[socket.socket]) -> None:
    for server, text in zip(servers, (b"ping!\n", b"pong!\n"), strict=True):
        await asyncio.start_server(_Responder(text).answer, sock=server)
    await asyncio.Event().wait()


class _Responder:
    """Answers every request with the same text."""

    def __init__(self, text: bytes) -> None:
        head = (
            f"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {len(text)}\r\nConnection: close\r\n\r\n"
        )
        self._response = head.encode() + text

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection: a request's head in, the text out."""
        try:
            await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
            writer.write(self._response)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, asyncio.TimeoutError):
            pass
        finally:
            writer.close()
