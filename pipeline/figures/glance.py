"""The one figure that shows a study at a glance."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from shoal.pipeline.figures import scores, style
from shoal.pipeline.figures.fits import Truth, draw_fits
from shoal.pipeline.statistics import axes as sweep_axes


@dataclass(frozen=True)
class Fits:
    """The best networks of some cells over the grid: `x` (n_grid,), `outputs` (n_grid, n_outputs) by cell."""

    title: str
    cells: pd.DataFrame
    x: np.ndarray
    outputs: Mapping[str, np.ndarray]
    truth: Truth


def glance(cells: pd.DataFrame, axes: Sequence[str], title: str, fits: Fits | None) -> Figure:
    """Test errors of a sweep along its axes, a panel per series, and beside it the fits of another sweep."""
    n_panels = len(scores.groups(cells, axes))
    figure, grid = style.panels(1, n_panels + (fits is not None), style.WIDTH, 3.2)
    figure.suptitle(textwrap.fill(title, 120), fontsize=10)
    for panel in grid[0, 1:n_panels]:
        panel.sharey(grid[0, 0])
        panel.tick_params(labelleft=False)
    scores.fill_panels(list(grid[0, :n_panels]), cells, axes)
    if fits:
        panel = grid[0, -1]
        draw_fits(panel, fits.cells, sweep_axes.series_of(fits.cells), fits.x, fits.outputs, fits.truth)
        panel.set_title(textwrap.fill(fits.title, 24))
        panel.set_xlabel(style.name(fits.truth.feature_name))
        panel.set_ylabel(style.name(fits.truth.target_names[0]), labelpad=1)
        panel.legend(loc="upper left", fontsize=8)
    return figure
