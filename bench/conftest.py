"""Options, the peers that are there, one measurement per workload shared by its tests, and the closing table."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bench import machine, report
from bench.peers import Peer, Running, available_peers
from bench.rounds import Result, measure_idle, measure_traffic
from bench.targets import Targets
from bench.workloads import WORKLOADS, Workload


@dataclass(frozen=True, slots=True)
class Settings:
    """How long and how often. FASTLB_BENCH_SCALE multiplies rounds and idle sessions of a full run."""

    quick: bool
    rounds: int
    seconds: float
    sessions: int


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("fastlb benchmarks")
    group.addoption(
        "--quick", action="store_true", help="one short round each: does it run, not how fast (or FASTLB_BENCH_QUICK=1)"
    )
    group.addoption(
        "--results", default=".benchmarks/results.json", help="where the figures go as JSON (default: %(default)s)"
    )


def _settings(config: pytest.Config) -> Settings:
    limit = machine.raise_descriptor_limit()
    if config.getoption("--quick") or os.environ.get("FASTLB_BENCH_QUICK") == "1":
        return Settings(quick=True, rounds=1, seconds=1.0, sessions=min(300, limit // 3 - 100))
    scale = float(os.environ.get("FASTLB_BENCH_SCALE", "1"))
    # A balancer needs two descriptors a session, and some for itself.
    sessions = min(round(4000 * scale), limit // 3 - 100)
    return Settings(quick=False, rounds=max(1, round(5 * scale)), seconds=3.0, sessions=sessions)


PEERS = available_peers()
TRAFFIC = tuple(workload for workload in WORKLOADS if workload.load != "idle")
IDLE = tuple(workload for workload in WORKLOADS if workload.load == "idle")
RESULTS = pytest.StashKey[list[Result]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[RESULTS] = []
    config.option.benchmark_columns = ["min", "median", "max", "rounds"]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    names = {"traffic": TRAFFIC, "idle": IDLE, "peer": [peer for peer in PEERS if peer.kind != "direct"]}
    for name, values in names.items():
        if name in metafunc.fixturenames:
            metafunc.parametrize(name, values, ids=lambda value: value.name, scope="session")


@dataclass
class Bench:
    """The targets, the peers in front of them, and what has been measured so far in this run."""

    settings: Settings
    targets: Targets
    folder: Path
    results: list[Result]
    _running: list[Running] = field(default_factory=list)
    _done: set[str] = field(default_factory=set)

    def result(self, workload: Workload, peer: Peer) -> Result:
        """The peer's figures. Asking for the first peer of a workload measures all of them, interleaved."""
        if workload.name not in self._done:
            self._done.add(workload.name)
            self.results += self._measure(workload)
        found = [r for r in self.results if r.workload == workload and r.peer == peer]
        if not found:
            pytest.fail(f"{workload.name} was not measured: see the failure of its first test")
        return found[0]

    def _measure(self, workload: Workload) -> list[Result]:
        if workload.load == "idle":
            return measure_idle(PEERS, self.start, workload, self.settings.rounds, self.settings.sessions)
        if not self._running:
            for peer in PEERS:
                self._running.append(self.start(peer))
        return measure_traffic(self._running, workload, self.settings.rounds, self.settings.seconds)

    def start(self, peer: Peer) -> Running:
        return Running(peer, self.targets, self.folder, self.settings.sessions + 1000)

    def close(self) -> None:
        for running in self._running:
            running.stop()
        self.targets.close()


@pytest.fixture(scope="session")
def bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    settings = _settings(request.config)
    if machine.BALANCER_CPU == machine.LOAD_CPU:
        pytest.skip("needs two CPUs: one for the balancer, one for the load")
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {machine.LOAD_CPU})
    folder = tmp_path_factory.mktemp("bench")
    made = Bench(settings, Targets(folder, settings.sessions + 1000), folder, request.config.stash[RESULTS])
    yield made
    made.close()
    os.sched_setaffinity(0, before)


class ReplayClock:
    """A clock that shows CPU seconds per unit of work: pytest-benchmark's statistics are then about CPU, not time."""

    def __init__(self) -> None:
        self._now_s = 0.0

    def __call__(self) -> float:
        return self._now_s

    def advance(self, seconds: float) -> None:
        self._now_s += seconds


REPLAY_CLOCK = ReplayClock()


@pytest.fixture
def replay() -> Callable[[float], None]:
    return REPLAY_CLOCK.advance


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All figures of one workload stand in one group of pytest-benchmark's table, told in its unit of work."""
    for item in items:
        workload = item.callspec.params.get("traffic") if hasattr(item, "callspec") else None
        if isinstance(workload, Workload):
            group = f"{workload.name}: CPU of the balancer per {workload.per}"
            item.add_marker(pytest.mark.benchmark(group=group, timer=REPLAY_CLOCK))


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    results = config.stash[RESULTS]
    if not results:
        return
    settings = _settings(config)
    kind = "quick run: these figures say that it works, not how fast" if settings.quick else "medians"
    terminalreporter.section(f"fastlb and its peers ({settings.rounds} rounds of {settings.seconds:g} s, {kind})")
    for line in report.table(results):
        terminalreporter.write_line(line)
    path = Path(config.getoption("--results"))
    facts: dict[str, object] = {
        "quick": settings.quick,
        "rounds": settings.rounds,
        "seconds": settings.seconds,
        "idle_sessions": settings.sessions,
    }
    report.write_json(results, path, facts)
    terminalreporter.write_line(f".../hap: ratio to HAProxy in this run. Written to {path}")
