"""Learning curves: the cost against the step, as median and quartile band over replicates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from pipeline import axes as sweep_axes
from pipeline.figures import style

DRAWN_POINTS = 120
"""Most steps a curve is drawn at, evenly spaced on a logarithmic scale; more would show nothing more."""


@dataclass(frozen=True)
class Band:
    """Median and quartiles over the replicates of a cell at each recorded step, all (n_steps,); +inf for diverged."""

    step: np.ndarray
    q1: np.ndarray
    median: np.ndarray
    q3: np.ndarray


def learning_curves(cells: pd.DataFrame, facets: sweep_axes.Facets, bands: Mapping[str, Band]) -> Figure:
    """One panel per facet, one line and band per series; `bands` by the name of the cell."""
    n_rows, n_columns = len(facets.rows), len(facets.columns)
    width = style.WIDTH if n_columns > 1 else 6.2
    height = 2.1 if n_rows > 1 else 3.0
    figure, grid = style.panels(n_rows, n_columns, width, height, sharex="col", sharey=True)
    all_series = sweep_axes.series_of(cells)
    drawn: list[np.ndarray] = []
    for i, row in enumerate(facets.rows):
        for j, column in enumerate(facets.columns):
            for cell in facets.select(cells, row, column).itertuples():
                band = bands[str(cell.cell)]
                colour = style.colour(str(cell.series), all_series)
                dash = style.DASHES[all_series.index(str(cell.series)) % len(style.DASHES)]
                finite = np.isfinite(band.median)
                top = np.where(np.isfinite(band.q3), band.q3, band.median)
                axes = grid[i, j]
                axes.fill_between(
                    band.step[finite], band.q1[finite], top[finite], color=colour, alpha=0.22, linewidth=0
                )
                axes.plot(band.step[finite], band.median[finite], color=colour, linestyle=dash, label=cell.series)
                drawn.append(band.median)
    style.label_facets(grid, facets.column_titles, facets.row_titles)
    style.log_scale_if_wide(grid[0, 0], np.concatenate(drawn))
    for axes in grid.flat:
        axes.set_xscale("symlog", linthresh=1, linscale=0.5)
        axes.set_xlim(left=0)
    for axes in grid[-1]:
        axes.set_xlabel("step")
    for axes in grid[:, 0]:
        axes.set_ylabel("train half_mse")
    style.legend_above(figure, grid[0, 0])
    return figure
