"""The comparisons of a sweep that are declared before any result is seen, and what their tests say.

Declared are: activation against activation (or architecture against architecture) where all else is equal, and
neighbours along one axis of the sweep (along one of names, all pairs). They follow from the block in params.yaml alone.
All contrasts of a sweep are one family: the probability that any claim made about it is wrong is at most 5 %. Claims
are about other random starts and orders of the samples; the data and the split of it stay. Where rows are validated on
in folds, they are about other splits too, and the test is the one of resampled.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import combinations, pairwise
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from shoal.pipeline.statistics import axes
from shoal.pipeline.statistics.intervals import FEWEST
from shoal.pipeline.statistics.resampled import Resampling, p_value
from shoal.pipeline.statistics.signed_ranks import Comparison, compare, differences, holm, smallest_p
from shoal.pipeline.store import A_BEATS_B, B_BEATS_A, CONTRAST_COLUMNS, NOT_SHOWN, UNTESTABLE

ERROR_RATE = 0.05
TESTS = {
    "test": "exact signed-rank test",
    "validation": "t-test over splits that allows for the training rows they share",
}
"""By the split that errors are judged on."""
Cells = Sequence[tuple[Any, str]]
"""By their level on an axis."""


class Contrast(NamedTuple):
    """Two cells that differ along one axis (`series`: activation or architecture), and their levels there as text."""

    axis: str
    a: str
    b: str
    level_a: str
    level_b: str


def declared(cells: pd.DataFrame) -> list[Contrast]:
    """The contrasts of one sweep's cells, as prepared by axes.py: between series, then along each axis."""
    found = axes.varying(cells)
    contrasts = list(_between(cells, "series", found, _all_pairs))
    for axis in found:
        others = ["series", *(other for other in found if other != axis)]
        contrasts += _between(cells, axis, others, _all_pairs if axis in axes.NAMES else pairwise)
    return contrasts


def _all_pairs(found: Cells) -> Iterable[tuple[Any, Any]]:
    return combinations(found, 2)


def _between(
    cells: pd.DataFrame, axis: str, others: list[str], pairs: Callable[[Cells], Iterable[tuple[Any, Any]]]
) -> Iterator[Contrast]:
    """Pairs of cells along an axis, among those that are equal on all the `others`."""
    order = axes.series_of(cells) if axis == "series" else axes.levels(cells, axis)
    groups = cells.groupby(others, sort=False, dropna=False) if others else [((), cells)]
    for _, alike in groups:
        cells_at = zip(alike[axis], alike["cell"], strict=True)
        for (level_a, a), (level_b, b) in pairs(sorted(cells_at, key=lambda one: order.index(one[0]))):
            yield Contrast(axis, a, b, axes.level_text(axis, level_a), axes.level_text(axis, level_b))


def contrast_table(
    sweep: str, contrasts: list[Contrast], errors: pd.DataFrame, splits: Resampling | None = None
) -> pd.DataFrame:
    """One row a contrast, with the columns of CONTRAST_COLUMNS.

    `errors` (n_replicates, n_cells) is log10 of the errors judged, a column a cell. With fewer than FEWEST replicates
    nothing is tested: p and p_holm are null; over several `splits` of the rows two are enough.
    """
    n = len(errors)
    tested = splits is not None or n >= FEWEST
    least = holm([0.0 if splits else smallest_p(n)] * len(contrasts))
    found = [compared(errors[contrast.a].to_numpy(), errors[contrast.b].to_numpy(), splits) for contrast in contrasts]
    adjusted = holm([comparison.p for comparison in found])
    rows = []
    for contrast, comparison, p_holm, p_smallest in zip(contrasts, found, adjusted, least, strict=True):
        p = {"p": comparison.p, "p_holm": p_holm} if tested else {"p": None, "p_holm": None}
        said = {"p_smallest": p_smallest, "verdict": verdict(comparison, p_holm, p_smallest if tested else 1.0)}
        rows.append({"sweep": sweep, **contrast._asdict(), **comparison._asdict(), **p, **said})
    return pd.DataFrame(rows, columns=list(CONTRAST_COLUMNS)).astype(CONTRAST_COLUMNS)


def compared(a: np.ndarray, b: np.ndarray, splits: Resampling | None) -> Comparison:
    """Paired log10 errors a, b (n,) of replicates in their order, with the test for several splits of the rows."""
    found = compare(a, b)
    if splits is None:
        return found
    means = splits.means(differences(a, b))
    return found._replace(p=p_value(means, splits.held_out), favours_a=bool(means.mean() < 0))


def verdict(comparison: Comparison, p_holm: float, p_smallest: float) -> str:
    """What may be said of a comparison: which cell beats the other, that neither is shown to, or that none could be.

    `p_holm` is its p and `p_smallest` the least that its replicates could have given, both after Holm over its family;
    1 of replicates that are not tested.
    """
    if p_smallest > ERROR_RATE:
        return UNTESTABLE
    if p_holm > ERROR_RATE:
        return NOT_SHOWN
    return A_BEATS_B if comparison.favours_a else B_BEATS_A
