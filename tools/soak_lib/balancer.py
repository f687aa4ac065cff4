"""The fastlb under soak, as an operator sees it: commands, /metrics, /proc. Blocking calls run in threads."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness import processes, samples
from harness.fastlb import Fastlb
from harness.sheet import TROUBLE

from soak_lib.shape import NOFILE, Shape

ASK_S = 10.0  # for the control socket and a scrape


class Balancer:
    """A running fastlb and the shape of its configuration."""

    def __init__(self, shape: Shape, directory: Path, metrics_port: int) -> None:
        self.shape = shape
        self.metrics_port = metrics_port
        self.fastlb = Fastlb(shape.text(), directory, metrics_port, nofile=NOFILE)
        self._output_read = 0

    @property
    def pid(self) -> int:
        return self.fastlb.pid

    def alive(self) -> bool:
        return self.fastlb.process.poll() is None

    def end(self) -> int:
        """Stop it; its exit status. Whatever is left of it is killed."""
        try:
            if self.alive():
                self.fastlb.stop()
            return self.fastlb.process.returncode
        finally:
            self.fastlb.kill_all()
            self.fastlb.notify.close()

    # What it says of itself

    async def status(self) -> dict[str, Any]:
        """The answer of ``fastlb status``, asked for at the control socket; asks again when that is full."""
        deadline = time.monotonic() + ASK_S
        while True:
            try:
                return await asyncio.to_thread(self._status)
            except (OSError, ValueError):
                if time.monotonic() > deadline:
                    raise
            await asyncio.sleep(0.1)

    def _status(self) -> dict[str, Any]:
        with socket.socket(socket.AF_UNIX) as sock, sock.makefile("rb") as answer:
            sock.settimeout(ASK_S)
            sock.connect(str(self.fastlb.socket_path))
            sock.sendall(b"status\n")
            said = json.loads(answer.readline())
        assert isinstance(said, dict)
        return said

    async def workers(self) -> list[int]:
        """Pids of the workers, by number; 0 for one that is away."""
        return [each["pid"] or 0 for each in (await self.status())["workers"]]

    async def scrape(self) -> samples.Samples:
        return await asyncio.to_thread(self._scrape)

    def _scrape(self) -> samples.Samples:
        status, body = samples.get("127.0.0.1", self.metrics_port, "/metrics", ASK_S)
        if status != 200:
            raise OSError(f"/metrics answers {status}: {body[:200]}")
        return samples.Samples(body)

    async def ready(self) -> tuple[bool, str]:
        """Whether /readyz says so, and what it says."""
        status, body = await asyncio.to_thread(samples.get, "127.0.0.1", self.metrics_port, "/readyz", ASK_S)
        return status == 200, body.strip()

    def new_trouble(self) -> list[str]:
        """Lines of its output since the last call that no healthy process writes."""
        text = self.fastlb.output()
        new, self._output_read = text[self._output_read :], len(text)
        return [line for line in new.splitlines() if any(word.lower() in line.lower() for word in TROUBLE)]

    def zombies(self) -> list[int]:
        return processes.zombies(self.pid)

    # Changing it

    async def reload(self, shape: Shape) -> tuple[bool, str]:
        """``fastlb reload`` with another shape: whether it succeeded, and what it said."""
        text, before = shape.text(), self.shape
        self.shape = shape
        succeeded, said = await self.reload_text(text)
        if not succeeded:
            self.shape = before
        return succeeded, said

    async def reload_text(self, text: str) -> tuple[bool, str]:
        self.fastlb.config_path.write_text(text)
        done = await asyncio.to_thread(self.fastlb.command, "reload")
        return done.returncode == 0, done.stdout + done.stderr

    def write(self) -> None:
        """Put the shape in force back into the file."""
        self.fastlb.config_path.write_text(self.shape.text())

    async def until(self, condition: Callable[[dict[str, Any]], bool], within_s: float) -> bool:
        """Whether the status comes to satisfy ``condition`` in time."""
        deadline = time.monotonic() + within_s
        while not condition(await self.status()):
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(0.1)
        return True

    async def until_metrics(self, condition: Callable[[samples.Samples], bool], within_s: float) -> bool:
        """The same for the metrics."""
        deadline = time.monotonic() + within_s
        while not condition(await self.scrape()):
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(0.3)
        return True
