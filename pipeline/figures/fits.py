"""What networks put out: fits over one feature, predictions against true values, and input gradients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from shoal.pipeline.figures import style
from shoal.pipeline.statistics import axes as sweep_axes

MOST_TARGETS = 6


@dataclass(frozen=True)
class Truth:
    """What fits are drawn over: `x` (n,), `y` (n, n_outputs), whether that is a function or samples, and names."""

    x: np.ndarray
    y: np.ndarray
    is_function: bool
    feature_name: str
    target_names: tuple[str, ...]


def fits(
    cells: pd.DataFrame, facets: sweep_axes.Facets, x: np.ndarray, outputs: Mapping[str, np.ndarray], truth: Truth
) -> Figure:
    """One panel per facet and target, of which the first MOST_TARGETS are drawn.

    `x` (n_grid,), `outputs` (n_grid, n_outputs) by the name of the cell.
    """
    targets = range(min(truth.y.shape[1], MOST_TARGETS))
    rows = [(row, target) for row in facets.rows for target in targets]
    n_columns = len(facets.columns)
    width = style.WIDTH if n_columns > 1 else style.NARROW
    figure, grid = style.panels(len(rows), n_columns, width, 1.6 if len(rows) > 1 else 3.0, sharex=True, sharey="row")
    all_series = sweep_axes.series_of(cells)
    for i, (row, target) in enumerate(rows):
        for j, column in enumerate(facets.columns):
            part = facets.select(cells, row, column)
            draw_fits(grid[i, j], part, all_series, x, outputs, truth, target)
        grid[i, 0].set_ylabel(style.name(truth.target_names[target]))
    style.label_facets(grid, facets.column_titles, [title for title in facets.row_titles for _ in targets])
    for axes in grid[-1]:
        axes.set_xlabel(style.name(truth.feature_name))
    style.legend_above(figure, grid)
    return figure


def draw_fits(
    axes: Axes,
    cells: pd.DataFrame,
    all_series: Sequence[str],
    x: np.ndarray,
    outputs: Mapping[str, np.ndarray],
    truth: Truth,
    target: int = 0,
) -> None:
    """Draw the truth and the outputs of one network per cell into a panel, looking no further than the truth does."""
    known = truth.y[:, target]
    if truth.is_function:
        axes.plot(truth.x, known, color="#c4c4c4", linewidth=5, label="true function")
    else:
        drawn = style.thinned(len(known))
        axes.plot(truth.x[drawn], known[drawn], ".", color="#b0b0b0", markersize=3, label="test samples")
    for name, series in zip(cells["cell"], cells["series"], strict=True):
        if name in outputs:
            dash = style.DASHES[all_series.index(series) % len(style.DASHES)]
            colour = style.colour(series, all_series)
            axes.plot(x, outputs[name][:, target], color=colour, linestyle=dash, label=style.name(series))
    margin = 0.25 * (known.max() - known.min() or 1.0)
    axes.set_ylim(known.min() - margin, known.max() + margin)


def predictions(true: np.ndarray, predicted: np.ndarray, names: Sequence[str]) -> Figure:
    """Predicted against true values, both (n, n_outputs): a panel per target, MOST_TARGETS at most."""
    n_columns = min(len(names), MOST_TARGETS, 3)
    n_rows = -(-min(len(names), MOST_TARGETS) // n_columns)
    figure, grid = style.panels(n_rows, n_columns, min(style.WIDTH, 3.3 * n_columns + 0.6), 3.1)
    drawn = style.thinned(len(true))
    for target, axes in enumerate(grid.flat):
        if target >= len(names):
            axes.set_visible(False)
            continue
        ends = [f(true[:, target].min(), true[:, target].max()) for f in (min, max)]
        axes.plot(ends, ends, color=style.GREY, linewidth=1, label="perfect")
        axes.plot(
            true[drawn, target],
            predicted[drawn, target],
            "o",
            color="#0072B2",
            alpha=0.55,
            markersize=4,
            markeredgewidth=0,
        )
        axes.set_title(style.name(names[target]))
        axes.set_xlabel("true")
        axes.set_ylabel("predicted")
    return figure


@dataclass(frozen=True)
class InputGradient:
    """dC/dx of each sample's own cost along one feature: `x`, `analytic` and `numerical` (n,)."""

    x: np.ndarray
    analytic: np.ndarray
    numerical: np.ndarray


def input_gradients(gradients: Mapping[str, InputGradient], feature_name: str) -> Figure:
    """A panel per network: dC/dx by the backward pass as a line, by central differences as points."""
    n_columns = min(len(gradients), 3)
    n_rows = -(-len(gradients) // n_columns)
    width = style.WIDTH if n_columns > 1 else style.NARROW
    figure, grid = style.panels(n_rows, n_columns, width, 2.9, sharex=True)
    names = list(gradients)
    for axes in grid.flat[len(names) :]:
        axes.set_visible(False)
    for axes, name in zip(grid.flat, names, strict=False):
        gradient = gradients[name]
        drawn = style.thinned(len(gradient.x))
        colour, label = style.OTHER_COLOURS[1], "analytic (backward pass)"
        axes.plot(gradient.x[drawn], gradient.analytic[drawn], color=colour, label=label)
        every = slice(None, None, max(1, len(gradient.x) // 40))
        points = {"color": "#222222", "markersize": 3.5, "fillstyle": "none", "markeredgewidth": 0.8}
        axes.plot(gradient.x[every], gradient.numerical[every], "o", label="central differences", **points)
        axes.set_title(style.name(name))
        axes.set_xlabel(style.name(feature_name))
    for axes in grid[:, 0]:
        axes.set_ylabel(style.name(f"dC/d{feature_name}"))
    style.legend_above(figure, grid)
    return figure
