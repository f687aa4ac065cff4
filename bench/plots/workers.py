"""One worker and several: cost per unit and rate, relative to the same balancer with one worker."""

from __future__ import annotations

from statistics import median

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.plots import style
from bench.store import Record


def scaling(results: list[Record]) -> Figure:
    """Above: CPU per unit; below: rate; a column for each workload. A line joins one worker with more."""
    names = list(dict.fromkeys(record["workload"] for record in results))
    figure = Figure(figsize=(9.6, 6.0))
    figure.suptitle("By number of workers; in brackets: relative to one worker", x=0.01, ha="left", fontsize=11)
    grid = figure.subplots(2, len(names), squeeze=False)
    drawn = []
    for column, name in enumerate(names):
        same = [record for record in results if record["workload"] == name]
        drawn.append((grid[0][column], same, "cost_us"))
        drawn.append((grid[1][column], same, "rate"))
        grid[0][column].set_title(f"{name}: CPU of the balancer, µs/{same[0]['per']}")
        grid[1][column].set_title(f"{name}: {same[0]['per']}s/s")
    for axes, same, key in drawn:
        _lines(axes, same, key)
    figure.draw_without_rendering()
    for axes, same, key in drawn:
        style.label_ends(axes, _ends(same, key))
    return figure


def _lines(axes: Axes, same: list[Record], key: str) -> None:
    for look in style.looks(same):
        mine = _of(same, look)
        style.line(axes, look, [r["workers"] for r in mine], [median(r[key]) for r in mine])
    counts = sorted({record["workers"] for record in same})
    axes.set_xticks(counts, [f"{count} worker{'s' if count > 1 else ''}" for count in counts])
    axes.set_xlim(counts[0] - 0.15, counts[-1] + (counts[-1] - counts[0]) * 0.95)
    axes.set_ylim(0, axes.get_ylim()[1] * 1.15)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,g}")


def _of(same: list[Record], look: style.Look) -> list[Record]:
    return sorted((r for r in same if r["peer"] == look.name), key=lambda record: record["workers"])


def _ends(same: list[Record], key: str) -> list[tuple[style.Look, float, float]]:
    ends = []
    for look in style.looks(same):
        mine = _of(same, look)
        one, many = median(mine[0][key]), median(mine[-1][key])
        named = style.Look(f"{look.name} ({many / one:.2f})", look.colour, look.marker, look.dashed, look.front)
        ends.append((named, float(mine[-1]["workers"]), many))
    return ends
