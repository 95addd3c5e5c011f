"""Median errors as colours: a row a series, a column a level of the first axis, a panel a level of the second."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from shoal.pipeline.figures import room, style
from shoal.pipeline.figures.scores import split_axes
from shoal.pipeline.statistics import axes as sweep_axes
from shoal.pipeline.statistics.errors import deciding

COLOURS = "cividis"
"""Read alike by everybody, and in print: the smaller the error, the darker."""


def room_of(axes: Sequence[str]) -> dict[str, int]:
    """How many levels of each axis the figure has room for."""
    column_axis, panel_axis = _laid_out(axes)
    return {"series": room.SERIES, column_axis: room.COLUMNS} | ({panel_axis: room.PANELS} if panel_axis else {})


def _laid_out(axes: Sequence[str]) -> tuple[str, str | None]:
    """The axis along the columns, and that along the panels."""
    return split_axes(axes)[:2] if axes else ("width", None)


def heat_map(cells: pd.DataFrame, axes: Sequence[str]) -> Figure:
    """The cells of a sweep along its first two axes, whose other axes are held fixed; by width where none varies."""
    column_axis, panel_axis = _laid_out(axes)
    columns, all_series = sweep_axes.levels(cells, column_axis), sweep_axes.series_of(cells)
    panel_levels = sweep_axes.levels(cells, panel_axis) if panel_axis else [None]
    grids = [_grid(cells, all_series, column_axis, columns, panel_axis, level) for level in panel_levels]
    finite = np.concatenate([grid[np.isfinite(grid)] for grid in grids])
    scale = Normalize(finite.min(), finite.max()) if finite.size else Normalize(0, 1)
    width = max(style.NARROW, len(grids) * (0.62 * len(columns) + 0.9) + 1.2)
    figure, panels = style.panels(1, len(grids), width, 0.42 * len(all_series) + 0.9, sharey=True)
    for panel, grid, level in zip(panels[0], grids, panel_levels, strict=True):
        image = _draw(panel, grid, scale)
        panel.set_xticks(range(len(columns)), [sweep_axes.level_text(column_axis, column) for column in columns])
        panel.set_xlabel(sweep_axes.LABELS[column_axis])
        if panel_axis:
            panel.set_title(f"{sweep_axes.LABELS[panel_axis]}: {sweep_axes.level_text(panel_axis, level)}")
    panels[0, 0].set_yticks(range(len(all_series)), map(style.name, all_series))
    figure.colorbar(image, ax=list(panels[0]), label=f"log10 of median {deciding(cells).label(deciding(cells).judged)}")
    return figure


def _grid(
    cells: pd.DataFrame,
    all_series: Sequence[str],
    column_axis: str,
    columns: Sequence[object],
    panel_axis: str | None,
    level: object,
) -> np.ndarray:
    """log10 of the median error, (n_series, n_columns): +inf: diverged, -inf: 0, NaN: no cell."""
    part = sweep_axes.at_levels(cells, {panel_axis: level}) if panel_axis else cells
    grid = np.full((len(all_series), len(columns)), np.nan)
    rows = part["series"].map(list(all_series).index)
    places = part[column_axis].map(list(columns).index)
    with np.errstate(divide="ignore"):
        grid[rows, places] = np.log10(part[f"{deciding(part).of(deciding(part).judged)}_median"].to_numpy(np.float64))
    return grid


def _draw(panel: Axes, grid: np.ndarray, scale: Normalize) -> AxesImage:
    """Draw one panel: the error as colour, the darkest for 0, and in figures; `diverged` where the median is."""
    colours = np.where(np.isposinf(grid), np.nan, np.maximum(grid, scale.vmin or 0.0))
    image = panel.imshow(colours, cmap=COLOURS, norm=scale, aspect="auto")
    panel.set_facecolor("#dddddd")
    panel.grid(visible=False)
    for (row, column), value in np.ndenumerate(grid):
        if not np.isnan(value):
            text = f"{10**value:.1e}" if np.isfinite(value) else "diverged" if value > 0 else "0"
            dark = scale(value) < 0.5
            panel.text(column, row, text, ha="center", va="center", fontsize=7, color="white" if dark else "black")
    return image
