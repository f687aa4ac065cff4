"""A Snapshot as Prometheus families: a ``prometheus_client`` collector and the text it renders.

Naming follows Prometheus' rules: base units, ``_total`` for counters, labels only from the configuration (``proxy``,
``server``), never from clients. Families that say nothing in this configuration are left out: limits that are not
set, checks of servers that have none, histograms of servers that have not had a session.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from fastlb.exporter import machine, process, proxies, servers, tables
from fastlb.exporter.text import CONTENT_TYPE, exposition
from fastlb.stats import Snapshot

__all__ = ["CONTENT_TYPE", "SnapshotCollector", "render"]


class SnapshotCollector(Collector):
    """Families of one Snapshot. It may be registered in any registry, and always tells the same numbers."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterator[Metric]:
        snapshot = self._snapshot
        families = (
            process.master, machine.host, process.workers, proxies.frontends, proxies.backends, servers.servers,
            tables.tables,
        )  # fmt: skip
        return (metric for family in families for metric in family(snapshot) if metric.samples)


def render(snapshot: Snapshot) -> bytes:
    """The whole exposition, text format 0.0.4."""
    return exposition(SnapshotCollector(snapshot).collect())
