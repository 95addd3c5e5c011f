"""The one figure that shows a study at a glance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline import axes as sweep_axes
from pipeline.figures import scores, style
from pipeline.figures.fits import Truth, draw_fits


@dataclass(frozen=True)
class Fits:
    """The best networks of a sweep's cells over the grid: `x` (n_grid,), `outputs` (n_grid, n_outputs) by cell."""

    title: str
    cells: pd.DataFrame
    x: np.ndarray
    outputs: Mapping[str, np.ndarray]
    truth: Truth


def summary(cells: pd.DataFrame, title: str, fits: Fits | None) -> Figure:
    """Test mse of a sweep along its axes, a panel per series, and beside it the fits of another sweep."""
    axes = sweep_axes.varying(cells)
    all_series = sweep_axes.series_of(cells)
    n_panels = len(all_series) + (fits is not None)
    figure = Figure(figsize=(style.WIDTH, 3.5), layout="constrained")
    figure.suptitle(title, fontsize=10.5)
    x_axis, line_axis, _ = scores.split_axes(axes)
    first: Axes | None = None
    panels: list[Axes] = []
    for n, series in enumerate(all_series):
        first = panel = figure.add_subplot(1, n_panels, n + 1, sharey=first)
        panels.append(panel)
        scores.draw_scores(panel, cells[cells["series"] == series], x_axis, line_axis, all_series)
        panel.set_title(series)
        if line_axis:
            panel.legend(title=sweep_axes.LABELS[line_axis])
    panels[0].set_ylabel("test mse (median, quartiles)")
    if fits:
        panel = figure.add_subplot(1, n_panels, n_panels)
        draw_fits(panel, fits.cells, sweep_axes.series_of(fits.cells), fits.x, fits.outputs, fits.truth)
        panel.set_title(fits.title)
        panel.set_xlabel(fits.truth.feature_name)
        panel.legend(loc="upper left", fontsize=8)
    return figure
