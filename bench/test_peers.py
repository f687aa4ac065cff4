"""What a unit of work costs through fastlb, HAProxy and nginx, measured in one interleaved run."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.conftest import PEERS, Bench
from bench.peers import Peer
from bench.workloads import Workload

pytestmark = pytest.mark.timeout(1800)


def test_traffic(
    bench: Bench, traffic: Workload, peer: Peer, benchmark: BenchmarkFixture, replay: Callable[[float], None]
) -> None:
    """CPU per unit. The rounds were measured interleaved with the other peers; the benchmark replays their figures."""
    result = bench.result(traffic, peer)
    figures = iter([sample.lb_s for sample in result.samples])
    benchmark.extra_info.update(
        peer=peer.name,
        rate=result.median("rate"),
        p99_us=result.median("p99_us"),
        over_s=result.over_s,
        errors=result.errors,
    )
    benchmark.pedantic(lambda: replay(next(figures)), rounds=len(result.samples))  # type: ignore[no-untyped-call]
    assert result.errors == 0 or peer.kind != "fastlb", f"{result.errors} requests failed"


def test_idle(bench: Bench, idle: Workload, peer: Peer) -> None:
    """Memory of an established session that is silent: the difference of two readings of the whole balancer, which for
    the few sessions of a quick run can be less than what its processes share and unshare meanwhile."""
    assert bench.result(idle, peer).cost > 0 or bench.lab.settings.quick


def test_fastlb_is_compared() -> None:
    """A run without fastlb in it would pass for nothing."""
    assert any(peer.kind == "fastlb" for peer in PEERS), "the engine is not built: pip install -e ."
