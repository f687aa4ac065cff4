"""Options, the peers that are there, one measurement per workload shared by its tests, and the closing table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bench import machine, report, store
from bench.faceoff import measure_workload
from bench.lab import Lab
from bench.peers import Peer, available_peers
from bench.rounds import Result
from bench.settings import Settings, wanted
from bench.workloads import WORKLOADS, Workload


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("fastlb benchmarks")
    group.addoption(
        "--quick", action="store_true", help="one short round each: does it run, not how fast (or FASTLB_BENCH_QUICK=1)"
    )
    group.addoption(
        "--results", default=".benchmarks/results.json", help="where the figures go as JSON (default: %(default)s)"
    )


def _settings(config: pytest.Config) -> Settings:
    return wanted(config.getoption("--quick"))


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
    """The laboratory and what has been measured in it so far."""

    lab: Lab
    results: list[Result]
    _done: set[str] = field(default_factory=set)

    def result(self, workload: Workload, peer: Peer) -> Result:
        """The peer's figures. Asking for the first peer of a workload measures all of them, interleaved."""
        if workload.name not in self._done:
            self._done.add(workload.name)
            self.results += measure_workload(self.lab, workload)
        found = [r for r in self.results if r.workload == workload and r.peer == peer]
        if not found:
            pytest.fail(f"{workload.name} was not measured: see the failure of its first test")
        return found[0]


@pytest.fixture(scope="session")
def bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    if machine.BALANCER_CPU == machine.LOAD_CPU:
        pytest.skip("needs two CPUs: one for the balancer, one for the load")
    with Lab(tmp_path_factory.mktemp("bench"), _settings(request.config)) as lab:
        yield Bench(lab, request.config.stash[RESULTS])


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
    document = store.load(path)
    document["parts"]["faceoff"] = store.part(report.records(results), settings)
    store.save(document, path)
    terminalreporter.write_line(f".../hap: ratio to HAProxy in this run. Written to {path}")
