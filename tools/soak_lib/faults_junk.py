"""Strangers at the doors: the metrics port, the control socket, connections that are gone at once, a stuck log."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import time

from harness.waiting import PATIENCE

from soak_lib.fault import Stage, fault
from soak_lib.faults_workers import connect_many

SCRAPE_S = 5.0 * PATIENCE


@fault("junk")
async def junk_at_the_metrics_port(stage: Stage) -> None:
    """Bytes that are no HTTP, a line without end, two requests at once, and headers that come slowly; others scrape."""
    junk = [
        stage.rng.randbytes(3000),
        b"GET /" + b"x" * 100_000,
        b"HEAD /metrics HTTP/1.1\r\nHost: a\r\n\r\n" * 2,
        b"GET /metrics HTTP/1.1\r\nX: ",
        b"POST /metrics HTTP/1.1\r\nContent-Length: 100000000\r\n\r\n",
    ]
    port = stage.balancer.metrics_port
    sockets = await asyncio.to_thread(lambda: [_say(socket.AF_INET, ("127.0.0.1", port), words) for words in junk])
    began = time.monotonic()
    await stage.balancer.scrape()
    took = time.monotonic() - began
    stage.books.check("doors", took < SCRAPE_S, f"a scrape beside junk took {took:.1f} s")
    await asyncio.sleep(stage.rng.uniform(0, 5))
    for sock in sockets:
        sock.close()


@fault("reload")
async def junk_at_the_control_socket(stage: Stage) -> None:
    """A megabyte without a line, bytes that are no text, many commands at once, more clients than are allowed."""
    path = str(stage.balancer.fastlb.socket_path)
    junk = [b"x" * (1 << 20), stage.rng.randbytes(10_000), b"nonsense\n" * 500, b'{"command": 7}\n', *[b""] * 25]
    sockets = await asyncio.to_thread(lambda: [_say(socket.AF_UNIX, path, words) for words in junk])
    await asyncio.sleep(stage.rng.uniform(0, 1))
    for sock in sockets:
        sock.close()
    status = await stage.balancer.status()
    stage.books.check("doors", bool(status.get("ok")), f"the control socket answers {status}")


@fault("junk")
async def connections_reset_at_once(stage: Stage) -> None:
    """Connected and reset before anything else, many times."""
    for client in await connect_many(stage, 100):
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()


@fault("log")
async def log_stuck(stage: Stage) -> None:
    """Nobody reads the log: lines get lost, nothing else."""
    stage.log.stick()
    await asyncio.sleep(stage.rng.uniform(2, 6))
    stage.log.read()


def _say(family: socket.AddressFamily, to: tuple[str, int] | str, words: bytes) -> socket.socket:
    """A socket that has said as much of ``words`` as was taken within a moment."""
    sock = socket.socket(family)
    sock.settimeout(0.5)
    with contextlib.suppress(OSError):
        sock.connect(to)
        sock.sendall(words)
    return sock
