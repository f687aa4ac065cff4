"""Making families: names get their prefix here, and nowhere else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from prometheus_client.metrics_core import Metric
from prometheus_client.samples import Sample

from fastlb import _engine
from fastlb.exporter.buckets import Bucket, cumulative
from fastlb.exporter.labels import Labels

Row = tuple[Labels, float]

_SIDES = {"-": "none", "c": "client", "C": "client", "s": "server", "S": "server"}
_REASONS = tuple((_SIDES.get(code[0], "proxy"), name) for name, code, _ in _engine.CAUSES)
"""(side, reason) of each cause; the side is who ended the session, as HAProxy's termination code begins."""


def gauge(name: str, text: str, rows: Iterable[Row]) -> Metric:
    """``+value`` makes numbers of booleans."""
    metric = Metric(f"fastlb_{name}", text, "gauge")
    metric.samples = [Sample(metric.name, labels, +value) for labels, value in rows]
    return metric


def counter(name: str, text: str, rows: Iterable[Row]) -> Metric:
    """``name`` goes without its ``_total``."""
    metric = Metric(f"fastlb_{name}", text, "counter")
    total = f"{metric.name}_total"
    metric.samples = [Sample(total, labels, value) for labels, value in rows]
    return metric


def histogram(
    name: str, text: str, rows: Iterable[tuple[Labels, Sequence[int], int]], buckets: Sequence[Bucket]
) -> Metric:
    """``rows`` hold (labels, the engine's cells, the sum in microseconds)."""
    metric = Metric(f"fastlb_{name}", text, "histogram")
    bucket, total, count = (f"{metric.name}{suffix}" for suffix in ("_bucket", "_sum", "_count"))
    for labels, cells, sum_us in rows:
        counts = cumulative(cells, buckets)
        metric.samples += [Sample(bucket, labels.plus("le", le), n) for (le, _), n in zip(buckets, counts, strict=True)]
        metric.samples.append(Sample(total, labels, sum_us / 1e6))
        metric.samples.append(Sample(count, labels, counts[-1]))
    return metric


def session_ends(name: str, text: str, rows: Iterable[tuple[Labels, Sequence[int]]]) -> Metric:
    """Sessions ended, by side and reason: the normal end always, another reason once it has occurred."""
    ends = [
        (labels.plus("side", _REASONS[cause][0]).plus("reason", _REASONS[cause][1]), number)
        for labels, ended in rows
        for cause, number in enumerate(ended)
        if number or cause == 0
    ]
    return counter(name, text, ends)
