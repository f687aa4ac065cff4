"""The plots of the page, as SVG: a function for each part. Matplotlib is used by this package alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from matplotlib.figure import Figure

from bench.cells import records
from bench.plots import bars, latency, lines, style, workers
from bench.store import Document, Record

PLOTS: dict[str, tuple[str, Callable[[list[Record]], Figure]]] = {
    "cpu": ("faceoff", bars.cost),
    "rates": ("faceoff", bars.rates),
    "latency": ("latency", latency.distribution),
    "sessions": ("sessions", lines.sessions),
    "sizes": ("sizes", lines.sizes),
    "workers": ("workers", workers.scaling),
}


def draw_all(document: Document, folder: Path) -> list[Path]:
    """One SVG for each plot whose part has been measured. The same results give the same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = []
    for name, (part, draw) in PLOTS.items():
        results = records(document, part)
        if results:
            with style.applied():
                drawn.append(style.save(draw(results), folder / f"{name}.svg"))
    return drawn
