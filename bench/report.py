"""The face-off as records, and those as a table for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bench.rounds import Result

HEADINGS = (
    "workload",
    "peer",
    "cpu or memory",
    "per",
    "over",
    "rate/s",
    "p99 µs",
    "errors",
    "cost/hap",
    "rate/hap",
    "p99/hap",
)


def _reference(results: Iterable[Result], workload: str) -> Result | None:
    """The first HAProxy of this run: what the ratios are relative to."""
    return next((r for r in results if r.workload.name == workload and r.peer.kind == "haproxy"), None)


def _ratio(value: float, reference: float) -> float | None:
    return value / reference if value and reference else None


def _record(result: Result, reference: Result | None) -> dict[str, object]:
    idle, scale = result.workload.load == "idle", result.workload.scale
    record: dict[str, object] = {
        "workload": result.workload.name,
        "peer": result.peer.name,
        "kind": result.peer.kind,
        "unit": result.workload.cost_unit,
        "cost": result.cost,
        "over": result.over_s * scale,
        "rate": result.median("rate"),
        "p99_us": result.median("p99_us"),
        "errors": result.errors,
        "samples": {
            "cost": [sample.kib if idle else sample.lb_s * scale for sample in result.samples],
            "rate": [sample.rate for sample in result.samples],
            "p99_us": [sample.p99_us for sample in result.samples],
        },
    }
    if reference is not None:
        record["cost_ratio"] = _ratio(result.cost, reference.cost)
        record["rate_ratio"] = _ratio(result.median("rate"), reference.median("rate"))
        record["p99_ratio"] = _ratio(result.median("p99_us"), reference.median("p99_us"))
    return record


def records(results: Sequence[Result]) -> list[dict[str, object]]:
    """Medians, ratios to HAProxy in the same run, and every sample."""
    return [_record(result, _reference(results, result.workload.name)) for result in results]


def table(results: Sequence[Result]) -> list[str]:
    """Aligned lines. The last three columns are ratios to HAProxy of the same run: under 1: cheaper, slower, sooner."""
    rows = [HEADINGS, *(_row(record) for record in records(results))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    return ["  ".join(_pad(cell, width, column) for column, (cell, width) in enumerate(zip(row, widths, strict=True)))
            for row in rows]  # fmt: skip


def _pad(cell: str, width: int, column: int) -> str:
    return cell.ljust(width) if column in (0, 1, 3) else cell.rjust(width)


def _row(record: dict[str, object]) -> tuple[str, ...]:
    direct = record["kind"] == "direct"
    return (
        str(record["workload"]),
        str(record["peer"]),
        "" if direct else _number(record["cost"]),
        str(record["unit"]),
        "" if direct else _number(record["over"]),
        _number(record["rate"]),
        _number(record["p99_us"]),
        str(record["errors"]),
        "" if direct else _number(record.get("cost_ratio")),
        _number(record.get("rate_ratio")),
        _number(record.get("p99_ratio")),
    )


def _number(value: object) -> str:
    if not isinstance(value, (int, float)) or value == 0:
        return ""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3g}"
