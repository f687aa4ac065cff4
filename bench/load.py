"""The load: one call makes traffic for a while and says what came of it. Runs on the load's CPU."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

from bench.workloads import Workload

WRK_REPORT = Path(__file__).with_name("wrk.lua")
REQUEST = b"GET /5 HTTP/1.1\r\nHost: bench\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Outcome:
    """``units`` of work done in ``seconds``; ``p99_us`` is 0 where latency means nothing."""

    units: float
    seconds: float
    p99_us: float = 0.0
    errors: int = 0


def wrk(port: int, workload: Workload, seconds: float) -> Outcome:
    """HTTP requests from one thread, as fast as their answers come."""
    header = ["-H", "Connection: close"] if workload.close else []
    command = ["wrk", "-t1", f"-c{workload.connections}", "--latency", "-s", str(WRK_REPORT), *header]
    text = _wrk_for(seconds, command, f"http://127.0.0.1:{port}{workload.path}")
    report = json.loads(text.splitlines()[-1])
    return Outcome(report["requests"], report["duration_us"] / 1e6, report["p99_us"], report["errors"])


def _wrk_for(seconds: float, command: list[str], address: str) -> str:
    """wrk counts whole seconds. It ends in good order when it is interrupted, and says how long it really ran."""
    with subprocess.Popen(
        [*command, "-d60s", address], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as wrk:
        try:
            wrk.wait(min(seconds, 50))
        except subprocess.TimeoutExpired:
            wrk.send_signal(signal.SIGINT)
        output, errors = wrk.communicate(timeout=30)
    if wrk.returncode:
        raise RuntimeError(f"wrk failed: {errors.strip() or output.strip()[-500:]}")
    return output


def iperf3(port: int, seconds: float) -> Outcome:
    """One TCP stream towards the server, as fast as it goes; the unit is 10^9 bytes received by the server."""
    whole = max(1, round(seconds))
    text = _run(["iperf3", "-c", "127.0.0.1", "-p", str(port), "-t", str(whole), "-J"], whole)
    received = json.loads(text)["end"]["sum_received"]
    return Outcome(received["bytes"] / 1e9, received["seconds"])


def _run(command: list[str], seconds: int) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 30, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {done.stderr.strip() or done.stdout.strip()[-500:]}")
    return done.stdout


class IdleSessions:
    """Established sessions that have done one request each and now say nothing."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._sockets: list[socket.socket] = []

    def open(self, count: int) -> None:
        """``count`` more. RuntimeError when one of them is not served."""
        for _ in range(count):
            try:
                self._open_one()
            except OSError as error:
                raise RuntimeError(f"session {len(self._sockets)} through port {self._port}: {error}") from error

    def _open_one(self) -> None:
        client = socket.create_connection(("127.0.0.1", self._port), timeout=10)
        self._sockets.append(client)
        client.sendall(REQUEST)
        if not client.recv(4096).startswith(b"HTTP/1.1 200"):
            raise ConnectionError("no answer to its one request")

    def close(self) -> None:
        for client in self._sockets:
            client.close()
        self._sockets.clear()
