"""How predictions differ from the truth, a panel a target: against the true value, and what is left over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from shoal.pipeline.figures import style

MOST_PANELS = 4
POINTS: dict[str, Any] = {
    "marker": "o",
    "linestyle": "",
    "color": "#0072B2",
    "alpha": 0.55,
    "markersize": 4,
    "markeredgewidth": 0,
}


def points(n_targets: int) -> int:
    """Points that a panel has at most: MOST_POINTS over all panels of a figure."""
    return style.MOST_POINTS // min(n_targets, MOST_PANELS)


def predicted(y: np.ndarray, y_hat: np.ndarray, names: Sequence[str]) -> Figure:
    """Predicted against true values, both (n, n_outputs), of the first MOST_PANELS targets; a line where they agree."""
    figure, panels = _panels(names, "true", "predicted")
    for k, axes in enumerate(panels):
        ends = [y[:, k].min(), y[:, k].max()]
        axes.plot(ends, ends, color=style.GREY, linewidth=1)
        _draw(axes, y[:, k], y_hat[:, k], len(names))
    return figure


def residuals(y: np.ndarray, y_hat: np.ndarray, names: Sequence[str]) -> Figure:
    """True minus predicted values against predicted ones; a line at 0."""
    figure, panels = _panels(names, "predicted", "true - predicted")
    for k, axes in enumerate(panels):
        axes.axhline(0.0, color=style.GREY, linewidth=1)
        _draw(axes, y_hat[:, k], y[:, k] - y_hat[:, k], len(names))
    return figure


def _panels(names: Sequence[str], x_label: str, y_label: str) -> tuple[Figure, list[Axes]]:
    """A figure and a panel for each target that is drawn, two in a row."""
    n = min(len(names), MOST_PANELS)
    n_rows, n_columns = -(-n // 2), min(n, 2)
    figure, grid = style.panels(n_rows, n_columns, style.WIDTH if n > 1 else style.NARROW, 3.1)
    for axes in grid.flat[n:]:
        axes.set_visible(False)
    for axes, name in zip(grid.flat, names, strict=False):
        axes.set_title(style.name(name))
        axes.set_xlabel(x_label)
        axes.set_ylabel(y_label)
    return figure, list(grid.flat[:n])


def _draw(axes: Axes, x: np.ndarray, y: np.ndarray, n_targets: int) -> None:
    kept = style.thinned(len(x), points(n_targets))
    axes.plot(x[kept], y[kept], **POINTS)
