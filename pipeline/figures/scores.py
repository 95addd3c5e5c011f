"""Errors of a sweep: typical value and interval along an axis, or every network of a sweep without axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from shoal.pipeline.figures import room, style
from shoal.pipeline.hyperparameters import HYPERPARAMETERS
from shoal.pipeline.statistics import axes as sweep_axes
from shoal.pipeline.statistics.cells import has_interval, typical
from shoal.pipeline.statistics.errors import deciding

X_ORDER = sorted(HYPERPARAMETERS, key=lambda name: HYPERPARAMETERS[name].along_x)
"""Which of the axes that vary runs along x: the first of these."""

MOST_TICKS = 12
"""Levels with their number along x."""
PANELS_IN_A_ROW = 4


def split_axes(axes: Sequence[str]) -> tuple[str, str | None, list[str]]:
    """The axis along x, the one that tells lines apart (None: there is no second), and the axes held fixed."""
    x_axis = min(axes, key=X_ORDER.index)
    others = [axis for axis in axes if axis != x_axis]
    return x_axis, others[0] if others else None, others[1:]


def room_of(x_axis: str, line_axis: str | None, series: int = room.SERIES) -> dict[str, int]:
    """How many levels of each axis the figure has room for."""
    return {"series": series, x_axis: room.POINTS} | ({line_axis: room.LINES} if line_axis else {})


def has_intervals(cells: pd.DataFrame) -> bool:
    """Whether every cell has enough replicates for an interval."""
    return bool(has_interval(cells).all())


def marks(cells: pd.DataFrame) -> pd.DataFrame:
    """Cells with the columns centre, low, high: typical error and interval; of few replicates, median and range."""
    if has_intervals(cells):
        ends = np.array([typical(cell) for _, cell in cells.iterrows()])
    else:
        column = deciding(cells).of(deciding(cells).judged)
        ends = cells[[f"{column}_{rank}" for rank in ("median", "min", "max")]].to_numpy(float)
    ends = np.where(np.isinf(ends), ends, np.minimum(ends, style.HIGHEST))
    return cells.assign(**dict(zip(("centre", "low", "high"), ends.T, strict=True)))


def marked(cells: pd.DataFrame) -> str:
    """What `marks` shows, in words."""
    if has_intervals(cells):
        return "typical value and 95 % interval"
    return "median and range"


def scores(cells: pd.DataFrame, axes: Sequence[str]) -> Figure:
    """Test errors as `marks` has them: a panel per series where lines tell a second axis apart, else one panel."""
    n_panels = len(groups(cells, axes))
    n_columns = min(n_panels, PANELS_IN_A_ROW)
    width = style.WIDTH if n_panels > 1 else style.NARROW
    figure, grid = style.panels(-(-n_panels // n_columns), n_columns, width, 3.3, sharey=True)
    for panel in grid.flat[n_panels:]:
        panel.set_visible(False)
    fill_panels(list(grid.flat[:n_panels]), cells, axes)
    return figure


def groups(cells: pd.DataFrame, axes: Sequence[str]) -> list[list[str]]:
    """The series of each panel."""
    all_series = sweep_axes.series_of(cells)
    return [[series] for series in all_series] if split_axes(axes)[1] else [all_series]


def fill_panels(panels: Sequence[Axes], cells: pd.DataFrame, axes: Sequence[str]) -> None:
    """Draw the scores into panels, as many as `groups` has groups, which share their y axis."""
    x_axis, line_axis, _ = split_axes(axes)
    all_series, cells = sweep_axes.series_of(cells), marks(cells)
    for panel, group in zip(panels, groups(cells, axes), strict=True):
        _draw_scores(panel, cells[cells["series"].isin(group)], x_axis, line_axis, all_series)
        if line_axis:
            panel.set_title(style.name(group[0]))
            panel.legend(title=sweep_axes.LABELS[line_axis])
        elif len(group) > 1:
            panel.legend()
    ends = cells[["centre", "high"]].to_numpy(float)
    for panel in panels if (np.isfinite(ends) & (ends > 0)).any() else ():
        style.log_y(panel)
    for panel in panels:
        style.mark_zeros(panel)
    panels[0].set_ylabel(f"{deciding(cells).label(deciding(cells).judged)} ({marked(cells)})")


def _draw_scores(
    panel: Axes, cells: pd.DataFrame, x_axis: str, line_axis: str | None, all_series: Sequence[str]
) -> None:
    """Draw one line per series and level of `line_axis` into a panel, and label its x axis."""
    place = _places(x_axis, sweep_axes.levels(cells, x_axis))
    span = max(place.values()) - min(place.values()) or 1.0
    line_levels = sweep_axes.levels(cells, line_axis) if line_axis else [None]
    lines = [(series, level) for series in sweep_axes.series_of(cells) for level in line_levels]
    for n, (series, level) in enumerate(lines):
        wanted = {"series": series} | ({line_axis: level} if line_axis else {})
        part = sweep_axes.at_levels(cells, wanted)
        at = part[x_axis].map(place).to_numpy(float)
        shift = 0.012 * span * (n - (len(lines) - 1) / 2)  # so that bars stand beside each other
        order = line_levels.index(level) if line_axis else list(all_series).index(series)
        shade = order / max(len(line_levels) - 1, 1) if line_axis else 0.0
        label = sweep_axes.level_text(line_axis, level) if line_axis else style.name(series)
        by_place = np.argsort(at)
        colour = _shaded(style.colour(series, all_series), shade)
        _draw_line(panel, at[by_place] + shift, part.iloc[by_place], colour, order, label)
    marked_levels = _marked_levels(place)
    panel.set_xticks(
        [place[level] for level in marked_levels], [sweep_axes.level_text(x_axis, level) for level in marked_levels]
    )
    panel.set_xlim(min(place.values()) - 0.08 * span, max(place.values()) + 0.08 * span)
    panel.set_xlabel(sweep_axes.LABELS[x_axis])
    if np.isinf(cells["centre"]).all():
        style.remark(panel, "all diverged")


def _marked_levels(place: dict[Any, float]) -> list[Any]:
    """The levels with a number along x: all, or of more than MOST_TICKS those far enough from the one before."""
    kept: list[Any] = []
    at = sorted(place, key=place.__getitem__)
    least = (place[at[-1]] - place[at[0]]) / MOST_TICKS if len(place) > MOST_TICKS else 0.0
    for level in at:
        if not kept or place[level] - place[kept[-1]] >= least:
            kept.append(level)
    return kept


def _places(axis: str, found: Sequence[Any]) -> dict[Any, float]:
    """Where each level stands along x: numbers by their logarithm; few layers, text, `full` and 0 one after another."""
    numeric = all(not isinstance(level, str) and np.isfinite(level) and level > 0 for level in found)
    if numeric and axis != "depth":
        return {level: float(np.log10(level)) for level in found}
    return {level: float(place) for place, level in enumerate(found)}


def _draw_line(panel: Axes, at: np.ndarray, part: pd.DataFrame, colour: Any, order: int, label: str) -> None:
    alive = np.isfinite(part["centre"].to_numpy())
    x, part, dead = at[alive], part[alive], at[~alive]
    endless = np.isinf(part["high"].to_numpy())
    bars = np.stack([part["centre"] - part["low"], part["high"].where(~endless, part["centre"]) - part["centre"]])
    bars = np.maximum(bars, 0.0)  # where all replicates are equal, rounding can put an end on the wrong side
    look = {"marker": style.MARKERS[order % len(style.MARKERS)], "linestyle": style.DASHES[order % len(style.DASHES)]}
    panel.errorbar(x, part["centre"], bars, color=colour, elinewidth=1, capsize=2.5, label=label, **look)
    if endless.any():
        start = part["centre"][endless]
        panel.errorbar(x[endless], start, 0.4 * start, lolims=True, fmt="none", color=colour, elinewidth=1, capsize=2.5)
    if dead.size:
        edge = panel.get_xaxis_transform()
        panel.plot(dead, np.ones(dead.size), "x", color=colour, transform=edge, clip_on=False)


def _shaded(colour: str, amount: float) -> tuple[float, ...]:
    """`colour` for 0, and lighter the nearer `amount` is to 1: part of the way to white."""
    return tuple(part + (1 - part) * 0.42 * amount for part in to_rgb(colour))


def replicates(networks: pd.DataFrame, cells: pd.DataFrame) -> Figure:
    """Test error of every network, a column per series, with the median and beside it the interval, if there is one.

    Networks have the column `series` beside their errors; there is one cell for each series.
    """
    error = deciding(networks)
    ends = marks(cells).set_index("series") if has_intervals(cells) else cells[:0]
    all_series = sweep_axes.series_of(networks)
    figure, grid = style.panels(1, 1, max(3.2, 1.1 * len(all_series) + 1.6), 3.0)
    panel = grid[0, 0]
    for place, series in enumerate(all_series):
        values = np.sort(networks.loc[networks["series"] == series, error.of(error.judged)].to_numpy(float))
        finite = np.minimum(values[np.isfinite(values)], style.HIGHEST)
        spread = np.linspace(-0.16, 0.16, len(finite)) if len(finite) > 1 else np.zeros(len(finite))
        colour, drawn = style.colour(series, all_series), style.thinned(len(finite))
        panel.plot(place + spread[drawn], finite[drawn], "o", color=colour, alpha=0.6, markeredgewidth=0)
        if len(finite) and np.isfinite(middle := values[[(len(values) - 1) // 2, len(values) // 2]].mean()):
            panel.hlines(middle, place - 0.28, place + 0.28, color=colour, linewidth=2)
        if series in ends.index:
            _draw_interval(panel, place + 0.36, *ends.loc[series, ["centre", "low", "high"]].to_numpy(float))
        if len(finite) < len(values):
            note = f"{len(values) - len(finite)} diverged"
            panel.annotate(note, (place, 0.97), xycoords=("data", "axes fraction"), ha="center", va="top", fontsize=8)
    style.log_scale_if_wide(panel, networks[error.of(error.judged)].to_numpy(float))
    style.mark_zeros(panel)
    panel.set_xticks(range(len(all_series)), map(style.name, all_series))
    panel.set_xlim(-0.6, len(all_series) - 0.4)
    panel.grid(axis="x", visible=False)
    panel.set_ylabel(error.label(error.judged))
    return figure


def _draw_interval(panel: Axes, place: float, centre: float, low: float, high: float) -> None:
    if np.isfinite(high):
        bars = np.maximum([[centre - low], [high - centre]], 0.0)
        panel.errorbar([place], [centre], bars, fmt="D", color="black", markersize=4, elinewidth=1, capsize=2.5)
