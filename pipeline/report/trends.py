"""What the medians of cells do from one end of an axis to the other: a description, with no test behind it."""

from __future__ import annotations

import numpy as np

from pipeline import axes
from pipeline.report.results import SweepResults
from pipeline.report.wording import NOUNS, factor, level, listed

FEWEST_LEVELS = 3
"""Of two levels, the comparison of the two says it all."""
SAME = 1.01
"""Medians closer than this factor count as equal."""


def trend(results: SweepResults, axis: str) -> str:
    """The median test mse at both ends of an axis of numbers, over all settings of the others; empty for other axes."""
    levels = axes.levels(results.cells, axis) if axis in axes.LABELS and axis != "hidden_sizes" else []
    ratios = _end_ratios(results, axis) if len(levels) >= FEWEST_LEVELS else np.array([])
    if not len(ratios):
        return ""
    first, last = (axes.level_text(axis, end) for end in (levels[0], levels[-1]))
    n, n_lost = len(ratios), int((ratios == 0).sum())
    falls, rises = ratios[ratios >= SAME], 1 / ratios[(ratios <= 1 / SAME) & (ratios > 0)]
    found = {"falls": falls, "rises": rises, "is infinite at the end": np.ones(n_lost)}
    found["stays within 1 %"] = np.ones(n - sum(map(len, found.values())))
    parts = [_part(verb, values, n) for verb, values in found.items() if len(values)]
    start = first if axis in NOUNS else level(axis, first)
    where = f"Across {n} settings of the other axes, from" if n > 1 else "From"
    return f"{where} {start} to {level(axis, last)} the median test mse {listed(parts)}."


def _end_ratios(results: SweepResults, axis: str) -> np.ndarray:
    """Median at the first level over that at the last, for each setting of the other axes that has both, not infinite.

    Infinite where only the first median is, 0 where only the last is.
    """
    others = ["series", *(name for name in results.axes if name != axis)]
    table = results.cells.pivot_table("test_mse_median", others, axis, aggfunc="first", sort=False)
    ends = table[[table.columns.min(), table.columns.max()]].dropna().to_numpy(np.float64)
    ends = ends[np.isfinite(ends).any(axis=1)]
    ratios: np.ndarray = ends[:, 0] / ends[:, 1]
    return ratios


def _part(verb: str, values: np.ndarray, n: int) -> str:
    """What happens in so many of n settings, and by which factors of values (m,) where they are not all 1."""
    where = "" if n == 1 else f" in {'all' if len(values) == n else len(values)}"
    finite = values[np.isfinite(values)]
    if not len(finite) or finite.max() == 1.0:
        return verb + where
    least, most = factor(finite.min()), factor(finite.max())
    return f"{verb}{where} (by a factor of {least}{'' if least == most else f' to {most}'})"
