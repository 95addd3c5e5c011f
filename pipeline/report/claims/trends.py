"""What the medians of cells do from one end of an axis to the other: a description, with no test behind it."""

from __future__ import annotations

import numpy as np

from shoal.pipeline.report.claims.wording import NOUNS, factor, level, listed, other_level
from shoal.pipeline.report.results import SweepResults
from shoal.pipeline.statistics import axes

FEWEST_LEVELS = 3
"""Of two levels, the comparison of the two says it all."""
SAME = 1.01
"""Medians closer than this factor count as equal."""


def trend(results: SweepResults, axis: str) -> str:
    """The median test error at both ends of an axis of numbers, over all settings of the others; empty for others."""
    levels = axes.levels(results.cells, axis) if axis in axes.LABELS and axis not in axes.TEXTS else []
    ends = _ends(results, axis) if len(levels) >= FEWEST_LEVELS else np.empty((0, 2))
    if not len(ends):
        return ""
    first, last = (axes.level_text(axis, end) for end in (levels[0], levels[-1]))
    start, end = (first, level(axis, last)) if axis in NOUNS else (level(axis, first), other_level(axis, last))
    what = f"the median {results.error.label(results.error.judged)}"
    return f"From {start} to {end} {what} {listed(_parts(ends, _other_axes(results, axis)))}."


def _ends(results: SweepResults, axis: str) -> np.ndarray:
    """Medians at the first and the last level, (n, 2), for each setting of the other axes where not both diverged."""
    others = ["series", *(name for name in results.axes if name != axis)]
    median = f"{results.error.of(results.error.judged)}_median"
    table = results.cells.pivot_table(median, others, axis, aggfunc="first", sort=False)
    ends = table[[table.columns.min(), table.columns.max()]].dropna().to_numpy(np.float64)
    found: np.ndarray = ends[np.isfinite(ends).any(axis=1)]
    return found


def _other_axes(results: SweepResults, axis: str) -> str:
    names = {"series": "architecture" if results.settings.architecture else "activation"} | axes.LABELS
    varying = [name for name in ("series", *results.axes) if name != axis and results.cells[name].nunique() > 1]
    return listed([names[name] for name in varying])


def _parts(ends: np.ndarray, others: str) -> list[str]:
    """What happens at how many of the settings, and by which factors; ends (n, 2) are the first and the last median."""
    n, first, last = len(ends), ends[:, 0], ends[:, 1]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.where(first == last, 1.0, first / last)
    is_lost, is_exact, was_exact = np.isinf(last), (last == 0) & (first > 0), (first == 0) & (last > 0)
    is_less, is_more = (ratios >= SAME) & ~is_exact, (ratios <= 1 / SAME) & ~is_lost & ~was_exact
    found = {
        "falls": ratios[is_less],
        "falls to 0": ratios[is_exact],
        "rises": 1 / ratios[is_more],
        "rises from 0": ratios[was_exact & ~is_lost],
        "becomes infinite": ratios[is_lost],
        "stays within 1 %": ratios[(ratios < SAME) & (ratios > 1 / SAME)],
    }
    parts: list[str] = []
    for verb, values in found.items():
        if len(values):
            count = ("both" if n == 2 else f"all {n}") if len(values) == n else str(len(values))
            of = f" of {n}" if len(values) < n and not parts else ""
            settings = "" if parts else f"{of} settings of {others}"
            parts.append(verb + (f" at {count}{settings}" if n > 1 else "") + _range(verb, values))
    return parts


def _range(verb: str, values: np.ndarray) -> str:
    finite = values[np.isfinite(values)]
    if verb not in ("falls", "rises") or not len(finite):
        return ""
    least, most = factor(finite.min()), factor(finite.max())
    return f" (by a factor of {least}{'' if least == most else f' to {most}'})"
