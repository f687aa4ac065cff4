"""How all plots look: colours that colour-blind readers can tell apart, a marker for each balancer, direct labels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.store import Record
from bench.tables import peers_of

# Okabe and Ito's palette.
COLOURS = {"fastlb": "#0072B2", "nginx": "#009E73", "direct": "#7F7F7F"}
HAPROXY_COLOURS = ("#D55E00", "#CC79A7", "#E69F00")
MARKERS = {"fastlb": "o", "nginx": "^", "direct": "x"}
HAPROXY_MARKERS = ("s", "D", "v")
INK, RULE = "#222222", "#DDDDDD"

SETTINGS: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#888888",
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": RULE,
    "grid.linewidth": 0.8,
    "lines.linewidth": 1.8,
    "lines.markersize": 5.5,
    "figure.facecolor": "white",
    "figure.constrained_layout.use": True,
    "svg.hashsalt": "fastlb",
}


@dataclass(frozen=True, slots=True)
class Look:
    """How one peer is drawn, everywhere."""

    name: str
    colour: str
    marker: str
    dashed: bool
    front: int


def applied() -> AbstractContextManager[None]:
    return matplotlib.rc_context(SETTINGS)


def looks(results: Sequence[Record]) -> list[Look]:
    """One for each peer in these results, in the order of the tables."""
    found, haproxies = [], 0
    for name in peers_of(results):
        kind = name.split()[0]
        if kind == "haproxy":
            place = haproxies % len(HAPROXY_COLOURS)
            haproxies += 1
            found.append(Look(name, HAPROXY_COLOURS[place], HAPROXY_MARKERS[place], False, 3))
        else:
            found.append(Look(name, COLOURS[kind], MARKERS[kind], kind == "direct", 5 if kind == "fastlb" else 3))
    return found


def line(axes: Axes, look: Look, x: Sequence[float], y: Sequence[float], marker: bool = True) -> None:
    axes.plot(
        x, y, color=look.colour, label=look.name, marker=look.marker if marker else None,
        linestyle="--" if look.dashed else "-", zorder=look.front,
    )  # fmt: skip


def label_ends(axes: Axes, ends: Iterable[tuple[Look, float, float]], gap_points: float = 13) -> None:
    """The names of lines beside their last points, moved apart where they would cover each other.

    For logarithmic and linear axes alike: distances are measured on the picture, so limits must not change any more.
    """
    placed = sorted(ends, key=lambda end: axes.transData.transform((end[1], end[2]))[1])
    pixels_a_point = axes.figure.dpi / 72
    heights = [axes.transData.transform((x, y))[1] / pixels_a_point for _, x, y in placed]
    wanted = spread(heights, gap_points)
    for (look, x, y), height, target in zip(placed, heights, wanted, strict=True):
        axes.annotate(
            look.name, (x, y), xytext=(9, target - height), textcoords="offset points", va="center",
            color=look.colour, fontweight="bold" if look.front > 3 else "normal", annotation_clip=False, fontsize=9.5,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8},
        )  # fmt: skip


def spread(heights: Sequence[float], gap: float) -> list[float]:
    """The nearest heights, in the same order, that are ``gap`` apart: neighbours that touch move as one block."""
    blocks: list[list[float]] = []
    for height in heights:
        blocks.append([height])
        while len(blocks) > 1 and _low(blocks[-1], gap) - _high(blocks[-2], gap) < gap:
            last = blocks.pop()
            blocks[-1] += last
    return [_low(block, gap) + place * gap for block in blocks for place in range(len(block))]


def _low(block: Sequence[float], gap: float) -> float:
    return sum(block) / len(block) - gap * (len(block) - 1) / 2


def _high(block: Sequence[float], gap: float) -> float:
    return _low(block, gap) + gap * (len(block) - 1)


def save(figure: Figure, path: Path) -> Path:
    figure.savefig(path, format="svg", metadata={"Date": None, "Creator": "tools/bench-report"})
    return path
