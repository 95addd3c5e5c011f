"""What the tests of a sweep's declared comparisons show, in sentences that say no more than that."""

from __future__ import annotations

from itertools import count

import numpy as np
import pandas as pd

from shoal.pipeline.report.claims.trends import trend
from shoal.pipeline.report.claims.wording import (
    capital,
    counted,
    factors,
    is_exact,
    is_plural,
    level,
    other_level,
    places,
    ratios,
)
from shoal.pipeline.report.document.blocks import Table
from shoal.pipeline.report.result_tables import MISSING, MOST_ROWS, left_out, number
from shoal.pipeline.report.results import SweepResults
from shoal.pipeline.statistics.contrasts import ERROR_RATE, TESTS
from shoal.pipeline.statistics.intervals import FEWEST
from shoal.pipeline.statistics.signed_ranks import holm, smallest_p
from shoal.pipeline.store import A_BEATS_B, B_BEATS_A, NOT_SHOWN, UNTESTABLE
from shoal.pipeline.tasks import Error

MOST_PLACES = 8
"""Where a claim holds is listed up to so many places; the table of comparisons has all."""
MOST_PAIRS = 12
"""Pairs of levels of an axis that have a sentence each: those of which most is shown."""


def findings(results: SweepResults) -> list[str]:
    """A paragraph on the tests, then one for each axis; empty for a sweep of one cell."""
    contrasts = results.contrasts
    if contrasts.empty:
        return []
    if is_untestable(contrasts):
        return [_untestable(contrasts)]
    paragraphs = [_method(contrasts, results.error)]
    for axis, part in contrasts.groupby("axis", sort=False):
        sentences = [trend(results, str(axis)), *claims(results, part)]
        paragraphs.append(" ".join(filter(None, sentences)))
    return paragraphs


def is_untestable(contrasts: pd.DataFrame) -> bool:
    """Whether no replicate could have shown anything."""
    return bool((contrasts["verdict"] == UNTESTABLE).all())


def claims(results: SweepResults, contrasts: pd.DataFrame) -> list[str]:
    """A sentence for each pair of levels among comparisons along one axis."""
    by_cell, pairs = results.cells.set_index("cell"), _pairs(contrasts)
    kept = sorted(sorted(range(len(pairs)), key=lambda place: _strength(pairs[place]), reverse=True)[:MOST_PAIRS])
    sentences = [_claim(results, by_cell, pairs[place]) for place in kept]
    if rest := len(pairs) - len(kept):
        sentences.append(f"{counted(rest, 'other pair')} of levels: evaluation/contrasts.parquet.")
    return sentences


def strongest(results: SweepResults) -> str:
    """The sentence on the pair of levels with the largest share of comparisons shown, then the largest ratio."""
    return claims(results, max(_pairs(results.contrasts), key=_strength))[0]


def _pairs(contrasts: pd.DataFrame) -> list[pd.DataFrame]:
    """The comparisons of each pair of levels."""
    return [part for _, part in contrasts.groupby(["axis", "level_a", "level_b"], sort=False)]


def _strength(part: pd.DataFrame) -> tuple[float, float]:
    return float(part["verdict"].isin([A_BEATS_B, B_BEATS_A]).mean()), _ratio_size(part)


def _ratio_size(part: pd.DataFrame) -> float:
    return float(part["log10_ratio"].abs().min())


def _untestable(contrasts: pd.DataFrame) -> str:
    n, m = int(contrasts["n_pairs"].iloc[0]), len(contrasts)
    needed = next(k for k in count(FEWEST) if holm([smallest_p(k)] * m)[0] <= ERROR_RATE)
    why = f"claims need at least {FEWEST}"
    if n >= FEWEST:
        least = contrasts["p_smallest"].iloc[0]
        why = f"over {counted(m, 'comparison')} no p could have been below {least:.2g} after Holm's correction"
    return (
        f"Whether one of these cells beats another could not have been shown with {counted(n, 'replicate')}: {why}. "
        f"{needed} replicates could."
    )


def _method(contrasts: pd.DataFrame, error: Error) -> str:
    n, m = int(contrasts["n_pairs"].iloc[0]), len(contrasts)
    return (
        f"'Beats' means a smaller {error.label(error.judged)} over {n} pairs of networks that started alike and saw "
        f"the same data ({TESTS[error.judged]}, {counted(m, 'comparison')} declared beforehand, 5 % for all of them "
        "together by Holm)."
    )


def _claim(results: SweepResults, by_cell: pd.DataFrame, part: pd.DataFrame) -> str:
    """What is shown of two levels of one axis, over all settings of the others."""
    axis = part["axis"].iloc[0]
    others = [name for name in ("series", *results.axes) if name != axis and by_cell[name].nunique() > 1]
    texts = [part[f"level_{side}"].iloc[0] for side in "ab"]
    parts = []
    for verdict, (better, worse), sides, sign in ((A_BEATS_B, texts, "ab", -1), (B_BEATS_A, texts[::-1], "ba", 1)):
        held = part[part["verdict"] == verdict]
        if len(held):
            beat = f"{level(axis, better)} {'beat' if is_plural(axis, better) else 'beats'} {other_level(axis, worse)}"
            smaller, larger = (by_cell.loc[held[side]] for side in sides)
            exact = is_exact(smaller, larger, results.error)
            size = factors(ratios(sign * held["log10_ratio"].to_numpy(np.float64)), exact)
            parts.append(f"{beat}{_where(others, by_cell, held, part)}{size}")
    if not parts:
        return _nothing_shown(part, results.error, *(level(axis, text) for text in texts))
    if n_unshown := int((part["verdict"] == NOT_SHOWN).sum()):
        parts.append(f"nothing is shown in the other {n_unshown if n_unshown > 1 else 'one'}")
    text = "; ".join(parts)
    return f"{text if axis == 'series' else capital(text)}."


def _nothing_shown(part: pd.DataFrame, error: Error, a: str, b: str) -> str:
    """What to say of comparisons of a and b that show nothing; of a single one, how many pairs are on either side."""
    if len(part) == 1:
        row = part.iloc[0]
        pairs = (
            f"{a} has the smaller {error.label(error.judged)} in {row['a_smaller']} of {row['n_pairs']} pairs, {b} in"
        )
        return f"Neither of {a} and {b} is shown to beat the other ({pairs} {row['b_smaller']})."
    where = "either comparison" if len(part) == 2 else f"any of {len(part)} comparisons"
    return f"Neither of {a} and {b} is shown to beat the other in {where}."


def _where(others: list[str], by_cell: pd.DataFrame, held: pd.DataFrame, part: pd.DataFrame) -> str:
    """At which settings of the other axes; empty where there is only one such setting."""
    if len(part) == 1:
        return ""
    if len(held) == len(part):
        return " in both comparisons" if len(part) == 2 else f" in all {len(part)} comparisons"
    share = f" in {len(held)} of {len(part)} comparisons"
    return share if len(held) > MOST_PLACES else f"{share} ({places(others, by_cell.loc[held['a']])})"


def contrast_table(results: SweepResults) -> Table:
    """Every declared comparison of a sweep with its test, as far as there is room."""
    n, shown = len(results.contrasts), results.contrasts
    if n > MOST_ROWS:
        shown = shown.sort_values("p", kind="stable").head(MOST_ROWS)
    note = left_out(MOST_ROWS, n, "comparisons", "p", "contrasts")
    error, by_cell = results.error, results.cells.set_index("cell")
    rows = [
        [
            f"{row['a']} against {row['b']}",
            f"{row['a_smaller']} of {row['n_pairs']}",
            f"{row['b_smaller']} of {row['n_pairs']}",
            _ratio(row, by_cell, error),
            *(MISSING if pd.isna(row[name]) else f"{row[name]:.2g}" for name in ("p", "p_holm")),
            row["verdict"],
        ]
        for _, row in shown.iterrows()
    ]
    header = [
        "a against b",
        "a smaller",
        "b smaller",
        f"typical {error.name} a / {error.name} b",
        "p",
        "p after Holm",
        "shown",
    ]
    which = "Declared comparisons" if note else "Every declared comparison"
    return Table(f"{which}: paired {error.label(error.judged)}, {TESTS[error.judged]}{note}", header, rows)


def _ratio(contrast: pd.Series, by_cell: pd.DataFrame, error: Error) -> str:
    """The typical ratio of the errors of a and b as a number, or in words why it is infinite or 0."""
    exponent = contrast["log10_ratio"]
    if np.isfinite(exponent):
        return number(float(ratios(exponent)))
    better, worse = "ba" if exponent > 0 else "ab"
    exact = is_exact(by_cell.loc[[contrast[better]]], by_cell.loc[[contrast[worse]]], error)
    return f"{better} is 0" if exact.all() else f"{worse} diverged"
