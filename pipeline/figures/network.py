"""A drawing of a network: units as circles in columns, wide layers shortened with dots, branches meeting in a sum."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PatchCollection
from matplotlib.figure import Figure
from matplotlib.patches import Circle

from shoal.kernels.network.architecture import Architecture, Dense, Path
from shoal.pipeline.figures.style import ACTIVATION_COLOURS

RADIUS, SPACING, COLUMN_STEP = 0.17, 0.48, 1.5
MOST_UNITS, MOST_BRANCH_UNITS = 8, 4
"""Layers of more units are drawn with as many places, one of them taken by dots."""

INCHES = 0.72
FILL = {"linear": "#ffffff", "sum": "#d8d8d8"} | {
    name: f"{colour}66" for name, colour in ACTIVATION_COLOURS.items() if name != "linear"
}


@dataclass(frozen=True)
class Stage:
    """One column of a path: its units, what is done in it, and whether every unit sees every unit before."""

    units: int
    kind: str
    label: str
    full: bool


@dataclass(frozen=True)
class Column:
    """A stage with its place: `y` (n_shown,) from top to bottom, `gap` where dots stand for the units left out."""

    stage: Stage
    x: float
    y: np.ndarray
    gap: float | None


@dataclass
class _Plan:
    """Columns placed so far, and which are connected."""

    most: int
    columns: list[Column] = field(default_factory=list)
    edges: list[tuple[Column, Column, bool]] = field(default_factory=list)

    def place(self, stage: Stage, x: float, middle: float) -> Column:
        shown = min(stage.units, self.most)
        y = middle + SPACING * ((shown - 1) / 2 - np.arange(shown))
        gap = None
        if stage.units > shown:
            gap = float(y[shown - 2])
            y = np.delete(y, shown - 2)
        self.columns.append(Column(stage, x, y, gap))
        return self.columns[-1]

    def path(self, source: Column, stages: list[Stage], middle: float) -> Column:
        for stage in stages:
            column = self.place(stage, source.x + COLUMN_STEP, middle)
            self.edges.append((source, column, stage.full))
            source = column
        return source


def drawing(architecture: Architecture, n_features: int) -> Figure:
    """Draw a network; the colour of a unit is that of its activation, white for linear ones."""
    plan = _plan(architecture, n_features)
    ys = np.concatenate([column.y for column in plan.columns])
    right = max(column.x for column in plan.columns) + 0.8
    low, high = float(ys.min()) - 0.95, float(ys.max()) + 0.3
    figure = Figure(figsize=(INCHES * (right + 0.8), INCHES * (high - low)))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(-0.8, right), ylim=(low, high), aspect="equal")
    axes.axis("off")
    for source, target, full in plan.edges:
        _connect(axes, source, target, full)
    for column in plan.columns:
        _draw(axes, column)
    return figure


def _plan(architecture: Architecture, n_features: int) -> _Plan:
    plan = _Plan(MOST_BRANCH_UNITS if architecture.branches else MOST_UNITS)
    paths = [_stages(branch, n_features) for branch in architecture.branches]
    heights = [SPACING * min(max(stage.units for stage in path), plan.most) + 0.85 for path in paths]
    inlet = last = plan.place(Stage(n_features, "linear", "input", False), 0.0, 0.0)
    if paths:
        total = Stage(architecture.branch_units(n_features), "sum", "sum", False)
        last = plan.place(total, COLUMN_STEP * (1 + max(map(len, paths))), 0.0)
        top = sum(heights) / 2
        for path, height in zip(paths, heights, strict=True):
            end = plan.path(inlet, path, top - height / 2)
            plan.edges.append((end, last, False))
            top -= height
    trunk = _stages(architecture.trunk, last.stage.units)
    trunk[-1] = Stage(trunk[-1].units, "linear", f"output\n{architecture.trunk[-1]}", True)
    plan.path(last, trunk, 0.0)
    return plan


def _stages(path: Path, units: int) -> list[Stage]:
    """Columns of a path that `units` units enter; a dense layer and the activation right behind it are one column."""
    stages: list[Stage] = []
    behind_dense = False
    for layer in path:
        if isinstance(layer, Dense):
            units = layer.units
            stages.append(Stage(units, "linear", str(layer), True))
        elif behind_dense:
            stages[-1] = Stage(units, layer.name, f"{stages[-1].label}\n{layer}", True)
        else:
            stages.append(Stage(units, layer.name, str(layer), False))
        behind_dense = isinstance(layer, Dense)
    return stages


def _connect(axes: Axes, source: Column, target: Column, full: bool) -> None:
    pairs = [(a, b) for a in source.y for b in target.y] if full else zip(source.y, target.y, strict=True)
    lines = [[(source.x, a), (target.x, b)] for a, b in pairs]
    axes.add_collection(LineCollection(lines, colors="#9a9a9a", linewidths=0.6, zorder=1))


def _draw(axes: Axes, column: Column) -> None:
    circles = [Circle((column.x, y), RADIUS) for y in column.y]
    for face, zorder in (("#ffffff", 2), (FILL[column.stage.kind], 3)):  # white below: the fill lets light through
        axes.add_collection(
            PatchCollection(circles, facecolor=face, edgecolor="#333333", linewidths=0.9, zorder=zorder)
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
