"""Latency by percentile, a panel for each rate. The horizontal axis is of nines: a step leaves a tenth of the rest."""

from __future__ import annotations

from math import log10

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.plots import style
from bench.plots.ticks import plain_log
from bench.store import Record

NINES = (50.0, 90.0, 99.0, 99.9, 99.99)


def distribution(results: list[Record]) -> Figure:
    """Logarithmic in both directions."""
    rates = list(dict.fromkeys(record["rate"] for record in results))
    figure = Figure(figsize=(9.6, 4.0))
    figure.suptitle("Latency from the due time, open loop, by percentile (log axes), less is better", x=0.01, ha="left",
                    fontsize=11)  # fmt: skip
    panels = figure.subplots(1, len(rates), sharey=True, squeeze=False)[0]
    for axes, rate in zip(panels, rates, strict=True):
        _panel(axes, [record for record in results if record["rate"] == rate])
        axes.set_title(f"{rate:,} requests a second")
        axes.set_xlabel("percentile")
    panels[0].set_ylabel("latency, µs")
    plain_log(panels[0].yaxis)
    figure.draw_without_rendering()
    for axes, rate in zip(panels, rates, strict=True):
        last = {record["peer"]: record["curve"][-1] for record in results if record["rate"] == rate}
        looks = style.looks(results)
        style.label_ends(axes, [(look, _nines(last[look.name][0]), last[look.name][1]) for look in looks])
    return figure


def _panel(axes: Axes, same: list[Record]) -> None:
    for look in style.looks(same):
        record = next(each for each in same if each["peer"] == look.name)
        points = [(_nines(percent), latency) for percent, latency in record["curve"] if latency]
        style.line(axes, look, [x for x, _ in points], [y for _, y in points], marker=False)
    axes.set_yscale("log")
    axes.set_xticks([_nines(percent) for percent in NINES], [f"{percent:g} %" for percent in NINES])
    axes.set_xlim(0, _nines(NINES[-1]) * 1.5)


def _nines(percent: float) -> float:
    return -log10(max(1e-6, 1 - percent / 100))
