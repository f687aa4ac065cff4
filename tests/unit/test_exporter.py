"""The exposition: accepted by promtool, exact, and complete."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest
from observed import plan_of, server_of
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from snapshots import CAUSES, REFUSALS, cells_of, counts_of, health_of, master_info, server_stats, snapshot_of

from fastlb import _engine
from fastlb.exporter import SnapshotCollector, render
from fastlb.exporter.buckets import CONNECT_BUCKETS, SESSION_BUCKETS, cumulative
from fastlb.stats import FrontendCounts, FrontendStats, Snapshot, take_snapshot

DOCUMENT = Path(__file__).parents[2] / "docs" / "metrics.md"


def values(snapshot: Snapshot) -> dict[str, float]:
    """``name{labels}`` → value, as Prometheus' own parser reads the text."""
    found = {}
    for family in text_string_to_metric_families(render(snapshot).decode()):
        for sample in family.samples:
            labels = ",".join(f'{key}="{value}"' for key, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed")
def test_promtool_has_nothing_to_say() -> None:
    text = render(snapshot_of(server_stats("be", "s"), server_stats("be", "t", checked=False)))
    check = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, check=False)
    assert (check.returncode, check.stdout, check.stderr) == (0, b"", b"")


def test_every_family_is_documented() -> None:
    families = set(re.findall(rb"^# TYPE (\S+) ", render(_everything()), re.MULTILINE))
    documented = set(re.findall(r"^\| `(fastlb_\w+)`", DOCUMENT.read_text(), re.MULTILINE))
    assert {name.decode() for name in families} == documented


def _everything() -> Snapshot:
    return snapshot_of(replace(server_stats("be", "s"), maxconn=10, maxqueue=5))


def test_the_text_is_what_prometheus_client_makes_of_the_collector() -> None:
    snapshot = snapshot_of(server_stats('a"\\\n', "s"), server_stats("be", "t", up=False, maintenance=True))
    registry = CollectorRegistry()
    registry.register(SnapshotCollector(snapshot))
    ours, theirs = (
        [
            (family.name, family.type, family.documentation, sample.name, sample.labels, sample.value)
            for family in text_string_to_metric_families(text.decode())
            for sample in family.samples
        ]
        for text in (render(snapshot), generate_latest(registry))
    )
    assert ours == theirs


def test_counters_are_exact_beyond_what_a_float_holds() -> None:
    counts = counts_of(FrontendCounts, received_bytes_total=2**63 + 1)
    snapshot = replace(snapshot_of(), frontends=(FrontendStats("fe", 0, counts, (0,) * CAUSES, (0,) * REFUSALS),))
    assert b'fastlb_frontend_received_bytes_total{proxy="fe"} 9223372036854775809\n' in render(snapshot)


def test_values() -> None:
    found = values(snapshot_of(server_stats("be", "s")))
    server = 'proxy="be",server="s"'
    assert found[f"fastlb_server_sessions{{{server}}}"] == 3
    assert found[f"fastlb_server_sessions_total{{{server}}}"] == 40
    assert found[f"fastlb_server_up{{{server}}}"] == 1
    assert found['fastlb_frontend_proxy_headers_refused_total{proxy="be",reason="timeout"}'] == 5
    assert 'fastlb_frontend_proxy_headers_refused_total{proxy="be",reason="missing"}' not in found
    assert found['fastlb_server_state{proxy="be",role="active",server="s",state="up"}'] == 1
    assert found[f"fastlb_server_check_http_code{{{server}}}"] == 200
    assert found[f"fastlb_server_check_duration_seconds{{{server}}}"] == 0.0015
    assert found[f"fastlb_server_down_seconds_total{{{server}}}"] == 1.5
    assert found['fastlb_server_session_ends_total{proxy="be",reason="client_abort",server="s",side="client"}'] == 5
    assert found['fastlb_frontend_session_ends_total{proxy="be",reason="normal",side="none"}'] == 8
    assert found['fastlb_frontend_session_limit{proxy="be"}'] == 50
    assert found['fastlb_config_reloads_total{result="failure"}'] == 3
    assert found["fastlb_config_last_reload_successful"] == 0
    assert found['fastlb_log_lines_dropped_total{at="sink"}'] == 5
    assert found[f'fastlb_config_info{{sha256="{"ab" * 32}"}}'] == 1
    assert found['fastlb_worker_restarts_total{worker="1"}'] == 1


def test_histograms_are_cumulative_and_agree_with_their_count() -> None:
    found = values(snapshot_of(server_stats("be", "s")))
    prefix = "fastlb_server_connect_duration_seconds"
    buckets = [value for name, value in found.items() if name.startswith(f"{prefix}_bucket")]
    assert buckets == sorted(buckets)
    assert buckets[0] == 1
    assert found[f'{prefix}_bucket{{le="+Inf",proxy="be",server="s"}}'] == 7
    assert found[f'{prefix}_count{{proxy="be",server="s"}}'] == 7
    assert found[f'{prefix}_sum{{proxy="be",server="s"}}'] == 2.5
    assert found['fastlb_server_session_duration_seconds_count{proxy="be",server="s"}'] == 7


@pytest.mark.parametrize("buckets", [CONNECT_BUCKETS, SESSION_BUCKETS])
def test_buckets_are_bounds_of_cells(buckets: tuple[tuple[str, int], ...]) -> None:
    assert 12 <= len(buckets) <= 16
    for le, count in buckets[:-1]:
        assert round(float(le) * 1e6) == _engine.histogram_bound_us(count - 1)
    assert cumulative(cells_of(c0=1, c127=1), buckets)[-1] == 2
    for cell in range(_engine.HISTOGRAM_CELLS):
        counts = cumulative(cells_of(**{f"c{cell}": 1}), buckets)
        inside = [float(le) * 1e6 >= _engine.histogram_bound_us(cell) for le, _ in buckets[:-1]]
        if cell < _engine.HISTOGRAM_CELLS - 1:
            assert counts[:-1] == [int(one) for one in inside]


def test_what_does_not_apply_is_left_out() -> None:
    text = render(snapshot_of(server_stats("be", "s", busy=False, checked=False))).decode()
    for name in ("server_check", "server_session_limit", "duration_seconds_bucket", "server_state_changes"):
        assert f"fastlb_{name}" not in text
    assert 'state="unchecked"' in text
    assert text.count("fastlb_server_session_ends_total{") == 1


def test_names_cannot_break_the_format() -> None:
    """S9: the configuration refuses such names; the exposition does not rely on it."""
    name = 'a"b\\c\nd<script>\xff'
    found = values(snapshot_of(server_stats(name, name)))
    assert sum(name in labels for labels in found) > 20
    assert all(
        line.startswith(("#", "fastlb_"))
        for line in render(snapshot_of(server_stats(name, name))).decode().splitlines()
    )


def test_maintenance_and_down_are_told_apart() -> None:
    servers = [
        server_stats("be", "m", up=False, maintenance=True),
        server_stats("be", "d", up=False, backup=True),
    ]
    text = render(snapshot_of(*servers)).decode()
    assert 'fastlb_server_state{proxy="be",server="m",state="maint",role="active"} 1' in text
    assert 'fastlb_server_state{proxy="be",server="d",state="down",role="backup"} 1' in text
    assert 'fastlb_server_up{proxy="be",server="d"} 0' in text


def test_a_fresh_service_can_be_read() -> None:
    from fastlb.shm import SharedState

    plan = plan_of([server_of("a", 1), server_of("b", 1, maxconn=7)], [server_of("a", 1)])
    shared = SharedState()
    numbering = shared.install(plan)
    health = [health_of(plan.backends[server.backend].name, server.name) for server in plan.servers]
    snapshot = take_snapshot(shared.view, plan, numbering, health, master_info())
    assert [(server.backend, server.name, server.maxconn) for server in snapshot.servers] == [
        ("be0", "a", 0),
        ("be0", "b", 7),
        ("be1", "a", 0),
    ]
    assert [backend.actives for backend in snapshot.backends] == [2, 1]
    assert values(snapshot)['fastlb_server_sessions_total{proxy="be1",server="a"}'] == 0


def test_five_thousand_servers() -> None:
    snapshot = snapshot_of(*(server_stats(f"be{i % 50}", f"s{i}") for i in range(5000)))
    began = time.process_time()
    text = render(snapshot)
    assert time.process_time() - began < 20, "a multiple of it would be a scrape that times out"
    assert text.count(b"fastlb_server_sessions{") == 5000
    assert len(text) < 40_000_000


def test_the_document_has_each_reason_and_its_code() -> None:
    text = (DOCUMENT.parent / "operations.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| (?:`(..)`[^|]*|none) \| [^|]+ \| [^|]+ \|$", text, re.MULTILINE)
    unseen = {"worker_lost", "proxy_header", "denied_session"}  # no line, or one of another kind
    assert dict(rows) == {word: "" if word in unseen else code for word, code, _ in _engine.CAUSES}
