"""``Logs``: every line of the service goes through here, session lines and operational messages alike.

Session lines come from the workers' rings and go to the targets of their frontend. Operational and health messages go
to the targets of their proxy, or, where they concern none, to those of `global`. They also go to the process's own
stream (stderr), unless a target on stdout or stderr shows them there already: in the foreground the operator sees them.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from typing import TextIO

from fastlb._engine import Shm
from fastlb.logs.datagram import DatagramSink
from fastlb.logs.formats import Sender
from fastlb.logs.forward import ForwardSink
from fastlb.logs.levels import DEBUG, LEVEL_NAMES, WARNING
from fastlb.logs.repeats import INTERVAL_S, Repeats
from fastlb.logs.sampling import Sampler
from fastlb.logs.sink import Sink
from fastlb.logs.stream import ClosedSink, open_fd, open_inherited, open_text
from fastlb.logs.target import Target
from fastlb.logs.text import escape_line, escape_text
from fastlb.plan.model import Address, Backend, Frontend, LogStream, Plan
from fastlb.shm import Numbering

_LINES_A_TURN = 512
_SESSION = 0
_FDS = {"stdout": 1, "stderr": 2}
_LATEST_US = 1 << 53


class Logs:
    """``stream`` is the process's own (stderr if None). Before ``install`` there is nothing else."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._own = open_text(sys.stderr if stream is None else stream)
        self._sinks: dict[Address | LogStream | str, Sink] = {}
        self._of_process: tuple[Target, ...] = ()
        self._of_backend: tuple[tuple[Target, ...], ...] = ()
        self._of_frontend_slot: dict[int, tuple[Target, ...]] = {}
        self._repeats = Repeats()
        self._lost_by_closed_sinks = 0
        self._alarm: asyncio.TimerHandle | None = None

    def install(self, plan: Plan, numbering: Numbering) -> None:
        """Take a plan's targets into force. Sinks that stay keep their backlog; frontends that left the plan keep
        their targets until their slot has another owner, for the lines of their last sessions."""
        process = plan.process
        sender = Sender(process.log_tag, os.getpid(), process.log_hostname, socket.gethostname())
        targets = [Target(log, self._sink(log.address), sender) for log in plan.log_targets]
        self._of_process = _distinct(targets[i] for i in process.logs)
        self._of_backend = tuple(_tagged(targets, backend) for backend in plan.backends)
        for slot, frontend in zip(numbering.frontends, plan.frontends, strict=True):
            self._of_frontend_slot[slot] = _tagged(targets, frontend)
        self._close_unused()

    def message(self, level: int, text: str, backend: int | None = None) -> None:
        """An operational message; ``backend`` is the index of the proxy it is about. The same one again within a
        second is left out, and counted."""
        now = time.monotonic()
        self._tell_repeats(now)
        if self._repeats.admit((level, text, backend), now):
            self._say(level, text, backend)
        else:
            self._set_alarm()
        self._flush()

    def proxy_message(self, level: int, text: str, backend: int) -> None:
        """A message about the backend with this index in the plan in force."""
        self.message(level, text, backend)

    def drain(self, view: Shm, workers: int) -> None:
        """Write what waits in the rings of workers 0 to workers - 1; with much of it, in several turns of the loop."""
        more = False
        for worker in range(workers):
            records = view.drain_log(worker, _LINES_A_TURN)
            more = more or len(records) == _LINES_A_TURN
            for level, kind, slot, time_us, line, data in records:
                self._from_worker(worker, min(max(level, 0), DEBUG), kind, slot, time_us, line, data)
        self._flush()
        if more:
            self._continue(view, workers)

    @property
    def dropped(self) -> int:
        """Lines that sinks have lost since the start. What the rings lost the workers count themselves."""
        return self._lost_by_closed_sinks + self._own.dropped + sum(sink.dropped for sink in self._sinks.values())

    def close(self) -> None:
        """Write what can be written at once, and close every sink."""
        self._tell_repeats(float("inf"))
        if self._alarm is not None:
            self._alarm.cancel()
        for sink in (*self._sinks.values(), self._own):
            sink.close()

    def _sink(self, address: Address | LogStream | str) -> Sink:
        sink = self._sinks.get(address)
        if sink is None:
            sink = self._sinks[address] = _open(address, self._warn)
            if isinstance(sink, ClosedSink):
                self._warn(f"log {address}: no such descriptor was there at the start")
        return sink

    def _warn(self, text: str) -> None:
        """About a target: only where the operator looks."""
        self._show(WARNING, escape_text(text))
        self._own.flush()

    def _close_unused(self) -> None:
        routes = (self._of_process, *self._of_backend, *self._of_frontend_slot.values())
        used = {id(target.sink) for route in routes for target in route}
        for address, sink in list(self._sinks.items()):
            if id(sink) not in used:
                sink.close()
                self._lost_by_closed_sinks += self._sinks.pop(address).dropped

    def _say(self, level: int, text: str, backend: int | None) -> None:
        targets = self._of_process
        if backend is not None and backend < len(self._of_backend):
            targets = self._of_backend[backend]
        time_us = time.time_ns() // 1000
        line = escape_text(text)
        shown = False
        for target in targets:
            shown = (target.write(level, time_us, line) and target.on_screen) or shown
        if not shown:
            self._show(level, line)

    def _show(self, level: int, line: bytes) -> None:
        """On the process's own stream."""
        date = datetime.now().isoformat(" ", "milliseconds")
        self._own.write(f"{date} [{LEVEL_NAMES[level]}] ".encode() + line + b"\n")

    def _from_worker(
        self, worker: int, level: int, kind: int, slot: int, time_us: int, line: bytes, data: bytes
    ) -> None:
        """A worker's memory is not trusted: whatever stands there becomes at most one clean line."""
        if kind != _SESSION:
            self.message(level, f"worker {worker}: {line.decode('latin-1')}")
            return
        text, data = escape_line(line), escape_line(data)
        time_us = time_us if 0 <= time_us < _LATEST_US else time.time_ns() // 1000
        for target in self._of_frontend_slot.get(slot, ()):
            target.write(level, time_us, text, data)

    def _flush(self) -> None:
        for sink in self._sinks.values():
            sink.flush()
        self._own.flush()

    def _tell_repeats(self, now: float) -> None:
        for (level, text, backend), count in self._repeats.expire(now):
            self._say(level, f"{text} (repeated {count} {'time' if count == 1 else 'times'})", backend)

    def _set_alarm(self) -> None:
        """Tell of the repetitions also when nothing else happens."""
        if self._alarm is None:
            try:
                self._alarm = asyncio.get_running_loop().call_later(INTERVAL_S, self._ring)
            except RuntimeError:
                return  # no loop runs: the next message tells

    def _ring(self) -> None:
        self._alarm = None
        self._tell_repeats(time.monotonic())
        self._flush()

    def _continue(self, view: Shm, workers: int) -> None:
        try:
            asyncio.get_running_loop().call_soon(self.drain, view, workers)
        except RuntimeError:
            self.drain(view, workers)


def _tagged(targets: list[Target], proxy: Frontend | Backend) -> tuple[Target, ...]:
    """The targets of a proxy, which see its own ``log-tag`` if it has one."""
    tag = proxy.log_tag
    own = _distinct(targets[i] for i in proxy.logs)
    return own if tag is None else tuple(replace(target, sender=replace(target.sender, tag=tag)) for target in own)


def _open(address: Address | LogStream | str, warn: Callable[[str], None]) -> Sink:
    if isinstance(address, LogStream):
        return ForwardSink(address, warn)
    if isinstance(address, str):
        return open_fd(_FDS[address])
    return open_inherited(int(address.host)) if address.family == "fd" else DatagramSink(address)


def _distinct(targets: Iterable[Target]) -> tuple[Target, ...]:
    """Without those that say the same: `log global` in a proxy that names the target again, say. Each samples anew."""
    distinct = {target.log: target for target in targets}
    return tuple(
        target if log.sample is None else replace(target, sampler=Sampler(log.sample))
        for log, target in distinct.items()
    )
