"""The soak from its command line to its exit status."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random, randrange

from harness import netns
from harness.ports import Ports

from soak_lib import network, quiet, report
from soak_lib.balancer import Balancer
from soak_lib.books import Books
from soak_lib.fault import Stage
from soak_lib.faults import FAULTS, Deck, series
from soak_lib.link import Door
from soak_lib.load import Load
from soak_lib.logs import LogSink
from soak_lib.monitor import Monitor
from soak_lib.servers import Server
from soak_lib.shape import Shape
from soak_lib.trend import Trend

LOOK_S = 10.0


def arguments(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tools/soak", description=(
        "Runs fastlb under independent load and random faults, and checks what must hold. As root in a network "
        "namespace of its own; otherwise on the loopback, without faults of the network. Exit status: 0 every "
        "invariant held, 1 one did not."))  # fmt: skip
    parser.add_argument("--minutes", type=float, default=60, help="how long (default 60)")
    parser.add_argument("--seed", type=int, default=randrange(1 << 31), help="of load and faults (default: random)")
    parser.add_argument("--rate", type=float, default=30, help="conversations begun a second (default 30)")
    parser.add_argument("--report", type=Path, help="write the result there: JSON for NAME.json, else markdown")
    parser.add_argument("--only", metavar="NAME,…", default="", help="these faults alone: " + ", ".join(
        each.name for each in FAULTS))  # fmt: skip
    parser.add_argument("--stop-early", action="store_true", help="end with the first violation")
    parser.add_argument("--break", dest="broken", default="", choices=["bytes", "sessions", "ending"],
                        help="do one thing wrong in the load, to see that it is noticed")  # fmt: skip
    chosen = parser.parse_args(words)
    chosen.only = [name for name in chosen.only.split(",") if name]
    unknown = set(chosen.only) - {each.name for each in FAULTS}
    if unknown or chosen.minutes <= 0 or chosen.rate <= 0:
        parser.error(f"no such fault: {', '.join(unknown)}" if unknown else "--minutes and --rate must be above 0")
    return chosen


class Soak:
    """One run."""

    def __init__(self, options: argparse.Namespace, stage: Stage, own_network: bool) -> None:
        self._options, self._stage, self._own_network = options, stage, own_network
        self._deck = Deck(Random(options.seed), own_network, options.only)
        self._monitor, self._trend = Monitor(stage), Trend()
        self._stop = asyncio.Event()
        self.ended = "ended as planned"
        self._printed = 0

    async def run(self) -> None:
        """Until the time is over, a signal, or something that ends it early."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._end, "interrupted")
        self._stage.log.read()
        print(f"fastlb runs as pid {self._stage.balancer.pid}, clients have begun", flush=True)
        load = asyncio.ensure_future(self._stage.load.run())
        jobs = [asyncio.ensure_future(job) for job in (self._cycles(), self._looks(), self._stop.wait())]
        try:
            done, _ = await asyncio.wait(jobs, return_when=asyncio.FIRST_COMPLETED)
            for job in done:
                job.result()
            await self._monitor.look()
        finally:
            for job in (*jobs, load):
                job.cancel()
            await asyncio.gather(*jobs, load, return_exceptions=True)
            self._stage.log.close()

    def _end(self, how: str) -> None:
        self.ended = how
        self._stop.set()

    def _time_left(self) -> float:
        return float(self._options.minutes) * 60 - self._stage.books.elapsed_s()

    async def _cycles(self) -> None:
        """Some faults, then a quiet moment, again and again."""
        while self._time_left() > 0:
            await series(self._stage, self._deck, lambda: self._time_left() > 0)
            await quiet.moment(self._stage, self._trend)

    async def _looks(self) -> None:
        """Every few seconds; violations are printed as they are found."""
        shown, looked = 0, time.monotonic()
        while True:
            await asyncio.sleep(0.5)
            self._tell_violations()
            if time.monotonic() - looked < LOOK_S:
                continue
            looked = time.monotonic()
            if not await self._monitor.look():
                return self._end("ended early: the master is gone")
            latencies = self._stage.books.latencies
            print(report.progress(self._stage.books, self._stage.load.held(), latencies[shown:]), flush=True)
            shown = len(latencies)

    def _tell_violations(self) -> None:
        violations = self._stage.books.violations
        for each in violations[self._printed :]:
            print(f"VIOLATION at {each.at_s} s, {each.invariant}: {each.text}", flush=True)
        self._printed = len(violations)
        if violations and self._options.stop_early:
            self._end("ended early: --stop-early")

    async def result(self) -> report.Result:
        """The books closed: growth judged, what the balancer says at last."""
        books, growths = self._stage.books, self._trend.growths()
        for each in growths:
            if each.judged():
                books.check("no growth", each.bounded(), f"{each.name}: {each.fitted:+g}, {each.bound:g} allowed")
        restarts, version = 0, "fastlb (did not answer)"
        with contextlib.suppress(OSError):
            status = await self._stage.balancer.status()
            restarts, version = sum(each["restarts"] for each in status["workers"]), f"fastlb {status['version']}"
        self._tell_violations()
        options = self._options
        return report.Result(version, options.seed, options.minutes, options.rate, self._own_network, self.ended,
                             books, growths, restarts, self._stage.log.lines)  # fmt: skip


@contextlib.contextmanager
def _network() -> Iterator[bool]:
    """A network namespace if we may make one: whether it is our own."""
    if netns.unavailable():
        yield False
        return
    with netns.fresh():
        network.prepare()
        yield True


@contextlib.contextmanager
def _stage(options: argparse.Namespace) -> Iterator[Stage]:
    """Servers, balancer, load; all put away at the end, and the balancer's end checked."""
    directory = Path(tempfile.mkdtemp(prefix="soak-"))
    directory.chmod(0o755)
    ports, log = Ports(), LogSink(directory / "log.sock")
    servers = tuple(Server(f"s{number}", ports.take(), directory) for number in (1, 2, 3))
    books = Books()
    try:
        shape = Shape(servers, *(ports.take() for _ in range(4)), log.path)
        balancer = Balancer(shape, directory, ports.take())
        doors = [Door(shape.even), Door(shape.least), Door(shape.ruled, proxied=True), Door(shape.chatty)]
        load = Load(books, doors, options.rate, options.seed, options.broken)
        try:
            yield Stage(balancer, servers, load, books, log, Random(options.seed + 1), ports.take(), directory)
        finally:
            books.check("orderly end", balancer.end() == 0, "it did not end with status 0")
    finally:
        for server in servers:
            server.kill()
        ports.release()
        shutil.rmtree(directory)


async def _soak(options: argparse.Namespace, stage: Stage, own_network: bool) -> report.Result:
    soak = Soak(options, stage, own_network)
    await soak.run()
    return await soak.result()


def main() -> int:
    options = arguments(sys.argv[1:])
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4096)), hard))
    print(f"soak: {options.minutes:g} min, seed {options.seed}", flush=True)
    with _network() as own_network, _stage(options) as stage:
        result = asyncio.run(_soak(options, stage, own_network))
    print(report.markdown(result), flush=True)
    if options.report:
        report.write(result, options.report)
    return 0 if result.held() else 1
