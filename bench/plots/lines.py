"""Curves: cost against sessions, throughput and cost against size."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from bench.cells import size_words
from bench.plots import style
from bench.plots.ticks import plain_log
from bench.store import Record


def sessions(results: list[Record]) -> Figure:
    """From zero, so that a line that looks level is level."""
    figure = Figure(figsize=(8.0, 4.0))
    title = "CPU of the balancer per request, by sessions established (log axis), less is better"
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    axes = figure.subplots()
    ends = _curves(axes, results, "sessions", lambda record: record["cost_us"], whiskers=True)
    counts = sorted({record["sessions"] for record in results})
    axes.set_xscale("log")
    axes.set_xticks(counts, [f"{count:,}" for count in counts])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlim(counts[0] * 0.85, counts[-1] * 4.2)
    axes.set_ylim(0, axes.get_ylim()[1] * 1.05)
    axes.set_xlabel("sessions established, of which at most 32 are active")
    axes.set_ylabel("µs/request")
    figure.draw_without_rendering()
    style.label_ends(axes, ends)
    return figure


def sizes(results: list[Record]) -> Figure:
    """Throughput on the left, CPU per request on the right; all axes logarithmic."""
    figure = Figure(figsize=(9.6, 4.4))
    left, right = figure.subplots(1, 2)
    balancers = [record for record in results if record["kind"] != "direct"]
    panels = (
        (left, "Throughput, MB/s of answers, more is better", results,
         lambda record: [rate * record["bytes"] / 1e6 for rate in record["rate"]]),
        (right, "CPU of the balancer, µs/request, less is better", balancers, lambda record: record["cost_us"]),
    )  # fmt: skip
    drawn = [(axes, _size_panel(axes, title, used, values)) for axes, title, used, values in panels]
    figure.draw_without_rendering()
    for axes, ends in drawn:
        style.label_ends(axes, ends)
    return figure


def _size_panel(
    axes: Axes, title: str, results: list[Record], values: Callable[[Record], list[float]]
) -> list[tuple[style.Look, float, float]]:
    ends = _curves(axes, results, "bytes", values)
    names = {record["bytes"]: size_words(record["size"]) for record in results}
    axes.set_title(title, fontsize=10)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks(list(names), list(names.values()), rotation=35, ha="right")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlim(min(names) * 0.8, max(names) * 30)
    axes.set_xlabel("size of the answer")
    plain_log(axes.yaxis)
    return ends


def _curves(
    axes: Axes, results: list[Record], key: str, values: Callable[[Record], list[float]], whiskers: bool = False
) -> list[tuple[style.Look, float, float]]:
    """A line of medians for each peer; returns where it ends."""
    ends = []
    for look in style.looks(results):
        mine = sorted((r for r in results if r["peer"] == look.name), key=lambda record: record[key])
        x, y = [record[key] for record in mine], [median(values(record)) for record in mine]
        style.line(axes, look, x, y)
        if whiskers:
            lowest, highest = [min(values(record)) for record in mine], [max(values(record)) for record in mine]
            axes.vlines(x, lowest, highest, color=look.colour, alpha=0.45)
        ends.append((look, x[-1], y[-1]))
    return ends
