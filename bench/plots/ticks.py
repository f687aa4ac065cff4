"""Axes that are logarithmic and yet have numbers that people read: 200, 500, 1,000."""

from __future__ import annotations

from matplotlib.axis import Axis
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter


def plain_log(axis: Axis) -> None:
    """Ticks at 1, 2 and 5 of each decade; every decade only where there are many."""
    low, high = axis.get_view_interval()
    steps = (1.0,) if high / low > 3000 else (1.0, 2.0, 5.0)
    axis.set_major_locator(LogLocator(10, steps, numticks=50))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}" if value >= 1 else f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())
