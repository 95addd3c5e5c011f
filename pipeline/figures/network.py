"""A drawing of a network: units as circles in columns, wide layers shortened with dots, branches meeting in a column.

Branches lie one below the other, and so do those inside them. Units that are dropped out have dashed outlines.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PatchCollection
from matplotlib.figure import Figure
from matplotlib.patches import Circle

from shoal.kernels.network.architecture import (
    Activation,
    Architecture,
    Dense,
    Dropout,
    Group,
    Path,
    Sum,
    units_after,
)
from shoal.pipeline.figures.style import ACTIVATION_COLOURS

RADIUS, SPACING, COLUMN_STEP = 0.17, 0.48, 1.5
MOST_UNITS, MOST_BRANCH_UNITS = 8, 4
"""Layers of more units are drawn with as many places, one of them taken by dots."""

INCHES = 0.72
FILL = (
    dict.fromkeys(("linear", "skip"), "#ffffff")
    | dict.fromkeys(("sum", "concat"), "#d8d8d8")
    | {name: f"{colour}66" for name, colour in ACTIVATION_COLOURS.items() if name != "linear"}
)


@dataclass(frozen=True)
class Stage:
    """One column of a path: its units, what is done in it, and whether every unit sees every unit before."""

    units: int
    kind: str
    label: str
    full: bool
    has_dropout: bool = False


@dataclass(frozen=True)
class Column:
    """A stage with its place: `y` (n_shown,) from top to bottom, `gap` where dots stand for the units left out."""

    stage: Stage
    x: float
    y: np.ndarray
    gap: float | None

    @property
    def shown(self) -> list[int]:
        """The units that have a circle: all of them, or the first ones and the last."""
        last = [] if self.gap is None else [self.stage.units - 1]
        return [*range(len(self.y) - len(last)), *last]

    def at(self, unit: int) -> float:
        """Where a unit stands; that is at the dots for one that is left out."""
        places = dict(zip(self.shown, self.y, strict=True))
        return float(places.get(unit, self.gap))


Edges = tuple[Column, Column, int | None]
"""Two columns that are connected: unit u with unit u + n of the second one, or with None all units with all."""


@dataclass
class _Plan:
    """Columns placed so far, and which are connected."""

    most: int
    columns: list[Column] = field(default_factory=list)
    edges: list[Edges] = field(default_factory=list)

    def place(self, stage: Stage, x: float, middle: float) -> Column:
        shown = min(stage.units, self.most)
        y = middle + SPACING * ((shown - 1) / 2 - np.arange(shown))
        gap = None
        if stage.units > shown:
            gap = float(y[shown - 2])
            y = np.delete(y, shown - 2)
        self.columns.append(Column(stage, x, y, gap))
        return self.columns[-1]

    def path(self, source: Column, path: Path, middle: float) -> Column:
        """Place the columns of a path behind `source`; returns the last one."""
        for stage in _stages(path, source.stage.units):
            if isinstance(stage, Group):
                source = self.group(source, stage, middle)
            else:
                column = self.place(stage, source.x + COLUMN_STEP, middle)
                self.edges.append((source, column, None if stage.full else 0))
                source = column
        return source

    def group(self, source: Column, group: Group, middle: float) -> Column:
        """Place branches behind `source`, one below the other, and the column where they meet, which is returned."""
        units, is_sum = source.stage.units, isinstance(group, Sum)
        heights = [_height(branch, units, self.most) for branch in group.branches]
        kind = "sum" if is_sum else "concat"
        meeting = Stage(units_after((group,), units), kind, kind, False)
        target = self.place(meeting, source.x + COLUMN_STEP * _width((group,), units), middle)
        top, first = middle + sum(heights) / 2, 0
        for branch, height in zip(group.branches, heights, strict=True):
            end = self.path(source, branch, top - height / 2)
            self.edges.append((end, target, first))
            top -= height
            first += 0 if is_sum else end.stage.units
        return target


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
    for edges in plan.edges:
        _connect(axes, *edges)
    for column in plan.columns:
        _draw(axes, column)
    return figure


def _plan(architecture: Architecture, n_features: int) -> _Plan:
    *layers, output = architecture.layers
    plan = _Plan(MOST_BRANCH_UNITS if any(isinstance(layer, Group) for layer in layers) else MOST_UNITS)
    inlet = plan.place(Stage(n_features, "linear", "input", False), 0.0, 0.0)
    last = plan.path(inlet, tuple(layers), 0.0)
    stage = Stage(architecture.n_outputs, "linear", f"output\n{output}", True)
    plan.edges.append((last, plan.place(stage, last.x + COLUMN_STEP, 0.0), None))
    return plan


def _stages(path: Path, units: int) -> list[Stage | Group]:
    """Columns and groups of a path that `units` units enter.

    A dense layer, the activation right behind it, and dropout behind either are one column. A path without layers is a
    column that lines run through.
    """
    stages: list[Stage | Group] = []
    for before, layer in zip((None, *path), path, strict=False):
        units, last = units_after((layer,), units), stages[-1] if stages else None
        if isinstance(layer, Group):
            stages.append(layer)
        elif isinstance(layer, Dropout):
            if not isinstance(last, Stage):
                last = Stage(units, "linear", "", False)
                stages.append(last)
            stages[-1] = replace(last, label=f"{last.label}\n{layer}".strip(), has_dropout=True)
        elif isinstance(layer, Activation) and isinstance(last, Stage) and isinstance(before, Dense):
            stages[-1] = replace(last, kind=layer.name, label=f"{last.label}\n{layer}")
        else:
            is_dense = isinstance(layer, Dense)
            stages.append(Stage(units, "linear" if is_dense else str(layer), str(layer), is_dense))
    return stages or [Stage(units, "skip", "skip", False)]


def _width(path: Path, units: int) -> int:
    """Columns of a path, of which groups have those of their longest branch and the one where branches meet."""
    width = 0
    for stage in _stages(path, units):
        is_group = isinstance(stage, Group)
        width += 1 + (max(_width(branch, units) for branch in stage.branches) if is_group else 0)
        units = units_after((stage,), units) if is_group else stage.units
    return width


def _height(path: Path, units: int, most: int) -> float:
    """What a path takes from top to bottom, with labels."""
    heights = []
    for stage in _stages(path, units):
        is_group = isinstance(stage, Group)
        inner = [_height(branch, units, most) for branch in stage.branches] if is_group else []
        units = units_after((stage,), units) if is_group else stage.units
        heights.append(max(sum(inner), SPACING * min(units, most) + 0.85))
    return max(heights)


def _connect(axes: Axes, source: Column, target: Column, first: int | None) -> None:
    pairs = {(a, b) for a in source.y for b in target.y}
    if first is not None:
        units = {*source.shown, *(unit - first for unit in target.shown)} & {*range(source.stage.units)}
        pairs = {(source.at(unit), target.at(unit + first)) for unit in units}
    lines = [[(source.x, a), (target.x, b)] for a, b in sorted(pairs, reverse=True)]
    axes.add_collection(LineCollection(lines, colors="#9a9a9a", linewidths=0.6, zorder=1))


def _draw(axes: Axes, column: Column) -> None:
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
