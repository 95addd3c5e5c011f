"""A drawing of a network: units as circles in columns, wide layers shortened with dots, branches meeting in a column.

Branches lie one below the other, and so do those inside them. Units that are dropped out have dashed outlines.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PatchCollection
from matplotlib.figure import Figure
from matplotlib.patches import Circle

from shoal.kernels.network.architecture import Architecture
from shoal.pipeline.figures.columns import Placed, plan
from shoal.pipeline.figures.style import ACTIVATION_COLOURS

RADIUS = 0.17
INCHES = 0.72
FILL = (
    dict.fromkeys(("linear", "skip"), "#ffffff")
    | dict.fromkeys(("sum", "concat"), "#d8d8d8")
    | {name: f"{colour}66" for name, colour in ACTIVATION_COLOURS.items() if name != "linear"}
)


def drawing(architecture: Architecture, n_features: int) -> Figure:
    """Draw a network; the colour of a unit is that of its activation, white for linear ones."""
    found = plan(architecture, n_features)
    ys = np.concatenate([column.y for column in found.columns])
    right = max(column.x for column in found.columns) + 0.8
    low, high = float(ys.min()) - 0.95, float(ys.max()) + 0.3
    figure = Figure(figsize=(INCHES * (right + 0.8), INCHES * (high - low)))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(-0.8, right), ylim=(low, high), aspect="equal")
    axes.axis("off")
    for edges in found.edges:
        _connect(axes, *edges)
    for column in found.columns:
        _draw(axes, column)
    return figure


def _connect(axes: Axes, source: Placed, target: Placed, first: int | None) -> None:
    pairs = {(a, b) for a in source.y for b in target.y}
    if first is not None:
        units = {*source.shown, *(unit - first for unit in target.shown)} & {*range(source.stage.units)}
        pairs = {(source.at(unit), target.at(unit + first)) for unit in units}
    lines = [[(source.x, a), (target.x, b)] for a, b in sorted(pairs, reverse=True)]
    axes.add_collection(LineCollection(lines, colors="#9a9a9a", linewidths=0.6, zorder=1))


def _draw(axes: Axes, column: Placed) -> None:
    circles = [Circle((column.x, y), RADIUS) for y in column.y if column.stage.kind != "skip"]
    line = "--" if column.stage.has_dropout else "-"
    for face, zorder in (("#ffffff", 2), (FILL[column.stage.kind], 3)):  # white below: the fill lets light through
        axes.add_collection(
            PatchCollection(
                circles, facecolor=face, edgecolor="#333333", linewidths=0.9, linestyles=line, zorder=zorder
            )
        )
    if column.stage.kind == "sum":
        for y in column.y:
            axes.text(column.x, y, "+", ha="center", va="center_baseline", fontsize=10, zorder=4)
    if column.gap is not None:
        dots = column.gap + 0.11 * np.array([-1, 0, 1])
        axes.plot(np.full(3, column.x), dots, ".", color="#333333", markersize=3)
    below: dict[str, Any] = {"ha": "center", "va": "top", "fontsize": 8, "linespacing": 1.1}
    behind = {"boxstyle": "square,pad=0.1", "facecolor": "#ffffff", "edgecolor": "none"}
    axes.text(column.x, column.y.min() - 0.28, column.stage.label, bbox=behind, zorder=2, **below)
