"""How much a figure has room for: of the cells of a large sweep, those at some levels of each axis."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from shoal.pipeline.figures.style import thinned
from shoal.pipeline.statistics import axes as sweep_axes
from shoal.pipeline.statistics.errors import best_cell

SERIES, LINES, POINTS = 16, 6, 40
"""Activations or architectures of a figure, lines of a panel, and levels along x."""
COLUMNS, PANELS = 12, 4
"""Levels along x of a heat map, which has a number for each, and its panels."""
AT_A_GLANCE = 6
"""Panels of the figure for the README."""


class Few(NamedTuple):
    """The cells that a figure has room for, and what is left out, as the end of a caption."""

    cells: pd.DataFrame
    note: str


def few(cells: pd.DataFrame, most: Mapping[str, int]) -> Few:
    """The cells at no more than so many levels of each of these axes, which may be `series`.

    Kept are levels at even distances, the first, the last or the best cell's among them.
    """
    n_cells, best, notes = len(cells), cells.iloc[best_cell(cells) or 0], []
    for axis, room in most.items():
        found = sweep_axes.series_of(cells) if axis == "series" else sweep_axes.levels(cells, axis)
        if len(found) > room:
            kept = thinned(len(found), room)
            own = next((place for place, level in enumerate(found) if level == best[axis]), 0)
            kept[np.abs(kept - own).argmin()] = own
            cells = cells[cells[axis].isin([found[place] for place in kept])]
            notes.append(f"{sweep_axes.LABELS.get(axis, 'networks')} at {room} of {len(found)} levels")
    note = f" Shown are {len(cells):,} of {n_cells:,} cells: {', '.join(notes)}, at even distances." if notes else ""
    return Few(cells, note)
