"""Families about the machine's network: what the kernel counts for all listening sockets, and ephemeral ports."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.metrics_core import Metric

from fastlb.exporter.family import counter, gauge
from fastlb.exporter.labels import Labels
from fastlb.stats import Snapshot

_NO_LABELS = Labels()


def host(snapshot: Snapshot) -> Iterator[Metric]:
    stats = snapshot.host
    for name, text, value in (
        ("listen_overflows", "Connections lost because a listening socket's queue was full.", stats.listen_overflows),
        ("listen_drops", "Connections that a listening socket lost for any reason.", stats.listen_drops),
    ):
        yield counter(f"host_{name}", text, [(_NO_LABELS, value)])
    yield gauge(
        "host_ephemeral_ports", "Ports there are for connections to one address.", [(_NO_LABELS, stats.ephemeral_ports)]
    )
    in_use = [
        (Labels(address=one.address, **({"source": one.source} if one.source else {})), one.in_use)
        for one in stats.ports_in_use
    ]
    yield gauge("host_ephemeral_ports_in_use", "Ports in use for connections to this address of servers.", in_use)
