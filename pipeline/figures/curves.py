"""Learning curves: the cost against the step, as median and quartile band over replicates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from shoal.pipeline.figures import style
from shoal.pipeline.statistics import axes as sweep_axes
from shoal.pipeline.statistics.errors import cost_label

DRAWN_POINTS = 120
"""Most steps a curve is drawn at, evenly spaced on a logarithmic scale; more would show nothing more."""


@dataclass(frozen=True)
class Band:
    """Median and quartiles over the replicates of a cell at each recorded step, all (n_steps,); +inf for diverged."""

    step: np.ndarray
    q1: np.ndarray
    median: np.ndarray
    q3: np.ndarray


TRAIN, VALIDATION = style.DASHES[:2]
"""How the costs of the two splits are drawn where there are both."""


def learning_curves(
    cells: pd.DataFrame, facets: sweep_axes.Facets, bands: Mapping[str, Band], validation: Mapping[str, Band]
) -> Figure:
    """One panel per facet, one line and band per series; `bands` by the name of the cell.

    `validation` are those of the validation costs, empty where a cell takes none. Where there are such, a dashed line
    is always one of them.
    """
    n_rows, n_columns = len(facets.rows), len(facets.columns)
    width = style.WIDTH if n_columns > 1 else style.NARROW
    height = 1.6 if n_rows > 1 else 3.0
    figure, grid = style.panels(n_rows, n_columns, width, height, sharex="col", sharey=True)
    all_series = sweep_axes.series_of(cells)
    for i, row in enumerate(facets.rows):
        for j, column in enumerate(facets.columns):
            panel = facets.select(cells, row, column)
            for name, series in zip(panel["cell"], panel["series"], strict=True):
                colour, label = style.colour(series, all_series), style.name(series)
                if validation:
                    _draw(grid[i, j], bands[name], f"{label}, train", colour, TRAIN)
                    if len(validation[name].step):
                        _draw(grid[i, j], validation[name], f"{label}, validation", colour, VALIDATION)
                else:
                    dash = style.DASHES[all_series.index(series) % len(style.DASHES)]
                    _draw(grid[i, j], bands[name], label, colour, dash)
            if len(panel) and not any(np.isfinite(bands[name].median[1:]).any() for name in panel["cell"]):
                style.remark(grid[i, j], "diverged at the first step")
    style.label_facets(grid, facets.column_titles, facets.row_titles)
    drawn = [*bands.values(), *validation.values()]
    style.log_scale_if_wide(grid[0, 0], np.concatenate([band.median for band in drawn]))
    _limit(grid[0, 0], drawn)
    for axes in grid.flat:
        style.log_x_from_zero(axes)
        style.mark_zeros(axes)
        axes.set_xlim(0, max(axes.dataLim.xmax, 1))
    for axes in grid[-1]:
        axes.set_xlabel("step")
    for axes in grid[:, 0]:
        axes.set_ylabel(cost_label(cells).removeprefix("train " if validation else ""))
    style.legend_above(figure, grid)
    return figure


def _draw(axes: Axes, band: Band, label: str, colour: str, dash: Any) -> None:
    alive = np.isfinite(band.median)
    upper = np.minimum(band.q3, style.HIGHEST)
    axes.fill_between(band.step[alive], band.q1[alive], upper[alive], color=colour, alpha=0.22, linewidth=0)
    axes.plot(band.step[alive], band.median[alive], color=colour, linestyle=dash, label=label)


def _limit(axes: Axes, bands: Sequence[Band]) -> None:
    """Where quartiles go far above the medians, end the y axis at the medians, and at 1000 times the first of them."""
    start, peak = (_largest(band.median[part] for band in bands) for part in (slice(1), slice(None)))
    if start and any((band.q3 > 1e3 * start).any() for band in bands):
        lowest = min(band.q1[band.q1 > 0].min(initial=start) for band in bands)
        axes.set_ylim(lowest / 2, 3 * min(peak, 1e3 * start))


def _largest(parts: Iterable[np.ndarray]) -> float:
    values = np.concatenate(list(parts))
    return float(values[np.isfinite(values)].max(initial=0.0))
