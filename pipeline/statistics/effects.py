"""What a level of a hyper-parameter does to the error, all else equal, beside the level that the best cell has."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from shoal.pipeline.statistics import axes
from shoal.pipeline.statistics.errors import best_cell
from shoal.pipeline.statistics.intervals import interquartile_mean, interval
from shoal.pipeline.statistics.resampled import Resampling


class Effect(NamedTuple):
    """log10 of the typical ratio of errors, and of the ends of its interval: NaN where there are too few replicates.

    `settings` is how many settings of all else the level and the best cell's level share; both are None at the latter.
    """

    axis: str
    level: str
    settings: int | None = None
    log10_ratio: float | None = None
    low: float = np.nan
    high: float = np.nan


def effects(cells: pd.DataFrame, errors: pd.DataFrame, seed: int) -> list[Effect]:
    """The effect of each level of the series and of each axis that varies, among prepared cells of a sweep.

    `errors` (n_replicates, n_cells) is log10 of the errors that cells are judged by, a column a cell. A replicate's
    ratio is the median over the settings; replicates start alike at all levels, so that what is typical of them is
    paired. An interval is about other random starts; of folds, about other splits too.
    """
    best, found = best_cell(cells), axes.varying(cells)
    splits = Resampling.of(cells)
    varied = [axis for axis in ("series", *found) if cells[axis].nunique(dropna=False) > 1]
    if best is None:
        return []
    effects = []
    for axis in varied:
        others = [other for other in ("series", *found) if other != axis]
        own = cells.iloc[best][axis]
        reference = cells[cells[axis] == own]
        for level in axes.series_of(cells) if axis == "series" else axes.levels(cells, axis):
            text = axes.level_text(axis, level)
            pairs = cells[cells[axis] == level].merge(reference, on=others or None, how="inner" if others else "cross")
            if level == own:
                effects.append(Effect(axis, text))
            elif len(pairs):
                ratios = _ratios(errors[pairs["cell_x"]].to_numpy(), errors[pairs["cell_y"]].to_numpy())
                typical = splits.mean(ratios) if splits else interquartile_mean(ratios)
                ends = splits.interval(ratios) if splits else interval(ratios, seed) or (np.nan, np.nan)
                effects.append(Effect(axis, text, len(pairs), typical, *ends))
    return effects


def _ratios(errors: np.ndarray, of_best: np.ndarray) -> np.ndarray:
    """Median differences of log10 errors (n_replicates, n_settings), (n_replicates,); 0 where both are infinite."""
    with np.errstate(invalid="ignore"):
        medians = np.median(np.where(errors == of_best, 0.0, errors - of_best), axis=1)
    found: np.ndarray = np.where(np.isnan(medians), np.inf, medians)
    return found
