"""Families about stick tables."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.metrics_core import Metric

from fastlb.exporter.family import counter, gauge
from fastlb.exporter.labels import Labels
from fastlb.stats import Snapshot


def tables(snapshot: Snapshot) -> Iterator[Metric]:
    rows = [(Labels(proxy=table.name), table) for table in snapshot.tables]
    yield gauge(
        "stick_table_size", "Entries that the stick table has room for.", [(at, table.size) for at, table in rows]
    )
    yield gauge("stick_table_entries", "Entries that it has now.", [(at, table.entries) for at, table in rows])
    evicted = [(labels, table.evicted) for labels, table in rows]
    yield counter("stick_table_evictions", "Entries given up to make room for others.", evicted)
    refused = [(labels, table.refused) for labels, table in rows]
    yield counter("stick_table_refusals", "Keys that found no room: nothing is counted or stored for them.", refused)
