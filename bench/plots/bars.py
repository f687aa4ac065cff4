"""The face-off as bars: a panel for each workload, since each has a unit of its own."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.plots import style
from bench.store import Record
from bench.tables import number, rate_unit

COLUMNS = 3


def cost(results: list[Record]) -> Figure:
    """CPU of the balancer per unit, and memory per idle session."""
    balancers = [record for record in results if record["kind"] != "direct"]
    title = "CPU of the balancer per unit of work (idle: memory), less is better; whiskers: all rounds"
    return _panels(balancers, title, lambda record: record["unit"], lambda record: record["samples"]["cost"])


def rates(results: list[Record]) -> Figure:
    """Units a second at the client."""
    traffic = [record for record in results if record["rate"]]
    title = "Rate at the client, more is better; whiskers: all rounds"
    return _panels(traffic, title, rate_unit, lambda record: record["samples"]["rate"])


def _panels(
    results: list[Record], title: str, unit: Callable[[Record], str], values: Callable[[Record], list[float]]
) -> Figure:
    names = list(dict.fromkeys(record["workload"] for record in results))
    rows = -(-len(names) // COLUMNS)
    looks = style.looks(results)
    figure = Figure(figsize=(9.6, 0.4 + rows * (0.75 + 0.33 * len(looks))))
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    grid = figure.subplots(rows, COLUMNS, squeeze=False)
    for place, axes in enumerate(grid.flat):
        if place >= len(names):
            axes.set_visible(False)
            continue
        same = [record for record in results if record["workload"] == names[place]]
        axes.set_title(f"{names[place]}, {unit(same[0])}")
        _bars(axes, same, looks, values, named=place % COLUMNS == 0)
    return figure


def _bars(
    axes: Axes, same: list[Record], looks: list[style.Look], values: Callable[[Record], list[float]], named: bool
) -> None:
    for row, look in enumerate(looks):
        for record in (each for each in same if each["peer"] == look.name):
            samples = values(record)
            middle = median(samples)
            whiskers = [[middle - min(samples)], [max(samples) - middle]] if len(samples) > 1 else None
            axes.barh(row, middle, 0.68, color=look.colour, xerr=whiskers,
                      error_kw={"ecolor": style.INK, "elinewidth": 1, "capsize": 2})  # fmt: skip
            axes.annotate(number(middle), (max(samples), row), xytext=(5, 0), textcoords="offset points", va="center",
                          fontweight="bold" if look.front > 3 else "normal")  # fmt: skip
    axes.set_yticks(range(len(looks)), [look.name for look in looks] if named else [])
    axes.invert_yaxis()
    axes.grid(visible=False)
    axes.spines["bottom"].set_visible(False)
    axes.set_xticks([])
    axes.tick_params(axis="y", length=0)
    axes.set_xlim(0, axes.get_xlim()[1] * 1.22)
