"""Where the columns of a network's drawing stand: units one below the other, branches too, and those inside them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from shoal.kernels.network.architecture import (
    Activation,
    Architecture,
    Concat,
    Dense,
    Dropout,
    Group,
    Path,
    Sum,
    units_after,
)

SPACING, COLUMN_STEP = 0.48, 1.5
MOST_UNITS, MOST_BRANCH_UNITS = 8, 4
"""Layers of more units are drawn with as many places, one of them taken by dots."""


@dataclass(frozen=True)
class Stage:
    """One column of a path: its units, what is done in it, and whether every unit sees every unit before."""

    units: int
    kind: str
    label: str
    full: bool
    has_dropout: bool = False


@dataclass(frozen=True)
class Placed:
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
        return float(places[unit] if unit in places or self.gap is None else self.gap)


Edges = tuple[Placed, Placed, int | None]
"""Two columns that are connected: unit u with unit u + n of the second one, or with None all units with all."""


@dataclass
class Plan:
    """Columns placed so far, and which are connected."""

    most: int
    columns: list[Placed] = field(default_factory=list)
    edges: list[Edges] = field(default_factory=list)

    def place(self, stage: Stage, x: float, middle: float) -> Placed:
        shown = min(stage.units, self.most)
        y = middle + SPACING * ((shown - 1) / 2 - np.arange(shown))
        gap = None
        if stage.units > shown:
            gap = float(y[shown - 2])
            y = np.delete(y, shown - 2)
        self.columns.append(Placed(stage, x, y, gap))
        return self.columns[-1]

    def path(self, source: Placed, path: Path, middle: float) -> Placed:
        """Place the columns of a path behind `source`; returns the last one."""
        for stage in _stages(path, source.stage.units):
            if not isinstance(stage, Stage):
                source = self.group(source, stage, middle)
            else:
                column = self.place(stage, source.x + COLUMN_STEP, middle)
                self.edges.append((source, column, None if stage.full else 0))
                source = column
        return source

    def group(self, source: Placed, group: Sum | Concat, middle: float) -> Placed:
        """Place branches behind `source`, one below the other, and the column where they meet, which is returned."""
        units, is_sum = source.stage.units, isinstance(group, Sum)
        heights = [_extent(branch, units, self.most)[1] for branch in group.branches]
        kind = "sum" if is_sum else "concat"
        meeting = Stage(units_after((group,), units), kind, kind, False)
        target = self.place(meeting, source.x + COLUMN_STEP * _extent((group,), units, self.most)[0], middle)
        top, first = middle + sum(heights) / 2, 0
        for branch, height in zip(group.branches, heights, strict=True):
            end = self.path(source, branch, top - height / 2)
            self.edges.append((end, target, first))
            top -= height
            first += 0 if is_sum else end.stage.units
        return target


def plan(architecture: Architecture, n_features: int) -> Plan:
    """Where the columns of a network stand."""
    *layers, output = architecture.layers
    found = Plan(MOST_BRANCH_UNITS if any(isinstance(layer, Group) for layer in layers) else MOST_UNITS)
    inlet = found.place(Stage(n_features, "linear", "input", False), 0.0, 0.0)
    last = found.path(inlet, tuple(layers), 0.0)
    stage = Stage(architecture.n_outputs, "linear", f"output\n{output}", True)
    found.edges.append((last, found.place(stage, last.x + COLUMN_STEP, 0.0), None))
    return found


def _stages(path: Path, units: int) -> list[Stage | Sum | Concat]:
    """Columns and groups of a path that `units` units enter.

    A dense layer, the activation right behind it, and dropout behind either are one column. A path without layers is a
    column that lines run through.
    """
    stages: list[Stage | Sum | Concat] = []
    for before, layer in zip((None, *path), path, strict=False):
        units, last = units_after((layer,), units), stages[-1] if stages else None
        if isinstance(layer, Sum | Concat):
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


def _extent(path: Path, units: int, most: int) -> tuple[int, float]:
    """Columns of a path, and what it takes from top to bottom, with labels.

    A group has the columns of its longest branch, and one where branches meet.
    """
    columns, heights = 0, []
    for stage in _stages(path, units):
        columns += 1
        if isinstance(stage, Stage):
            units = stage.units
        else:
            inner, tall = zip(*(_extent(branch, units, most) for branch in stage.branches), strict=True)
            columns, units = columns + max(inner), units_after((stage,), units)
            heights.append(sum(tall))
        heights.append(SPACING * min(units, most) + 0.85)
    return columns, max(heights)
