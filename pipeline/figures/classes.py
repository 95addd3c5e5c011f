"""What probabilities of classes hold: their calibration, and the trade between the errors of two classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from shoal.pipeline.figures import style
from shoal.pipeline.statistics.probabilities import Bin

SIZE = 3.6
"""Inches of a square panel."""


def calibration(bins: Sequence[Bin], x_label: str, y_label: str) -> Figure:
    """The share of the rows of each bin against their mean probability, with intervals; a line where they agree."""
    figure, axes = _square(x_label, y_label)
    mean, share, low, high = np.array([(one.mean, one.share, one.low, one.high) for one in bins]).T
    bars = np.maximum([share - low, high - share], 0.0)
    axes.errorbar(mean, share, bars, fmt="o", color=style.OTHER_COLOURS[5], elinewidth=1, capsize=2.5)
    return figure


def roc(curves: Mapping[str, tuple[np.ndarray, np.ndarray]], x_label: str, y_label: str) -> Figure:
    """The curve of each model, by its label: shares of rows at all thresholds; a line where chance is."""
    figure, axes = _square(x_label, y_label)
    for n, (label, (others, found)) in enumerate(curves.items()):
        kept = style.thinned(len(found))
        axes.plot(others[kept], found[kept], color=style.OTHER_COLOURS[5 + n], linestyle=style.DASHES[n], label=label)
    axes.legend(loc="lower right")
    return figure


def _square(x_label: str, y_label: str) -> tuple[Figure, Axes]:
    """A panel from 0 to 1 along both axes, with its diagonal."""
    figure, grid = style.panels(1, 1, SIZE + 0.6, SIZE)
    axes: Axes = grid[0, 0]
    axes.plot([0, 1], [0, 1], color=style.GREY, linewidth=1)
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xlabel=x_label, ylabel=y_label, aspect="equal")
    return figure, axes
