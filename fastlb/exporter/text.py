"""The text exposition format, version 0.0.4, of families whose labels are ``Labels``.

It says what ``prometheus_client.generate_latest`` says (a test compares them), several times faster, and whole numbers
exactly: thousands of servers are hundreds of thousands of samples.
"""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client.metrics_core import Metric

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def exposition(metrics: Iterable[Metric]) -> bytes:
    parts: list[str] = []
    for metric in metrics:
        name = f"{metric.name}_total" if metric.type == "counter" else metric.name
        parts.append(f"# HELP {name} {metric.documentation}\n# TYPE {name} {metric.type}\n")
        parts += [
            f"{sample.name}{{{sample.labels.text}}} {sample.value}\n"  # type: ignore[attr-defined]
            if sample.labels
            else f"{sample.name} {sample.value}\n"
            for sample in metric.samples
        ]
    return "".join(parts).encode("utf-8", "replace")
