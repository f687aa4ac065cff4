"""Part `syscalls`: system calls per unit of work, by name: one client after another, and many at once.

One after another gives the exact life of a request: nothing is batched, nothing depends on timing. Many at once shows
what batching saves; strace slows the balancer there, so that more is ready at each of its turns than without.
"""

from __future__ import annotations

import socket
from typing import Any

from bench import load, machine, strace
from bench.lab import Lab
from bench.peers import Running
from bench.workloads import Workload, workload_named

UNITS = {"close": "short connection", "keep": "keep-alive request", "1m": "answer of 1 MiB"}


def measure(lab: Lab) -> list[dict[str, Any]]:
    """One record for each workload and balancer."""
    running = [each for each in lab.single_workers() if each.peer.kind != "direct"]
    return [_record(lab, each, workload_named(name)) for name in UNITS for each in running]


def _record(lab: Lab, running: Running, workload: Workload) -> dict[str, Any]:
    pids, units = machine.family(running.pid or 0), lab.settings.traced_units
    with _Client(running.http_port, workload) as client:
        client.ask(3)  # what only the first ones need is not the price of one more
        with strace.counting(pids, lab.folder) as alone:
            client.ask(units)
    with strace.counting(pids, lab.folder) as crowd:
        outcome = load.wrk(running.http_port, workload, max(0.5, lab.settings.part_seconds / 2))
    if not outcome.units:
        raise RuntimeError(f"{running.peer.name}: nothing of {workload.name} got done under strace")
    return {
        "workload": workload.name,
        "unit": UNITS[workload.name],
        "peer": running.peer.name,
        "kind": running.peer.kind,
        "units": units,
        "calls": {name: count / units for name, count in sorted(alone.items())},
        "total": sum(alone.values()) / units,
        "connections": workload.connections,
        "total_at_once": sum(crowd.values()) / outcome.units,
    }


class _Client:
    """One request after another: over one connection, or each over a new one when the workload says close."""

    def __init__(self, port: int, workload: Workload) -> None:
        self._port, self._close = port, workload.close
        closing = "Connection: close\r\n" if workload.close else ""
        self._request = f"GET {workload.path} HTTP/1.1\r\nHost: bench\r\n{closing}\r\n".encode()
        self._kept = None if workload.close else self._connect()

    def _connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self._port), timeout=30)

    def ask(self, times: int) -> None:
        for _ in range(times):
            if self._kept:
                self._once(self._kept)
            else:
                with self._connect() as fresh:
                    self._once(fresh)

    def _once(self, connection: socket.socket) -> None:
        connection.sendall(self._request)
        _read_answer(connection, self._close)

    def __enter__(self) -> _Client:
        return self

    def __exit__(self, *_: object) -> None:
        if self._kept:
            self._kept.close()


def _read_answer(client: socket.socket, to_the_end: bool) -> None:
    """A whole answer, and the end of the connection where there is one to come."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += _some(client)
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
    have = len(body)
    while have < length:
        have += len(_some(client))
    if to_the_end and client.recv(1):
        raise RuntimeError("more came than was announced")


def _some(client: socket.socket) -> bytes:
    data = client.recv(1 << 18)
    if not data:
        raise RuntimeError("the connection ended within an answer")
    return data
