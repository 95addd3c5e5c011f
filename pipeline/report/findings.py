"""What the tests of a sweep's declared comparisons show, in sentences that say no more than that."""

from __future__ import annotations

from itertools import count

import numpy as np
import pandas as pd

from pipeline import axes
from pipeline.report.results import SweepResults
from pipeline.report.tables import MISSING, Table, number
from pipeline.statistics.contrasts import ERROR_RATE
from pipeline.statistics.intervals import FEWEST
from pipeline.statistics.signed_ranks import holm, smallest_p
from pipeline.store import A_BEATS_B, B_BEATS_A, NOT_SHOWN, UNTESTABLE

MORE = "diverges"
MOST_PLACES = 8
"""Where a claim holds is listed up to so many places; the table of comparisons has all."""


def findings(results: SweepResults) -> list[str]:
    """A sentence on the tests, then one for each pair of levels of each axis; empty for a sweep of one cell."""
    contrasts = results.contrasts
    if contrasts.empty:
        return []
    if (contrasts["verdict"] == UNTESTABLE).all():
        return [_untestable(contrasts)]
    by_cell = results.cells.set_index("cell")
    pairs = contrasts.groupby(["axis", "level_a", "level_b"], sort=False)
    return [_method(contrasts), *(_finding(results.axes, by_cell, part) for _, part in pairs)]


def _untestable(contrasts: pd.DataFrame) -> str:
    n, m = int(contrasts["n_pairs"].iloc[0]), len(contrasts)
    needed = next(k for k in count(FEWEST) if holm([smallest_p(k)] * m)[0] <= ERROR_RATE)
    why = f"claims need at least {FEWEST}"
    if n >= FEWEST:
        least = contrasts["p_smallest"].iloc[0]
        why = f"over {_counted(m, 'comparison')} no p could have been below {least:.2g} after Holm's correction"
    return (
        f"Whether one of these cells beats another could not have been shown with {_counted(n, 'replicate')}: {why}. "
        f"{needed} replicates could."
    )


def _method(contrasts: pd.DataFrame) -> str:
    n, m = int(contrasts["n_pairs"].iloc[0]), len(contrasts)
    return (
        f"'Beats' means a smaller test mse over {n} pairs of networks that started alike and saw the same data (exact "
        f"signed-rank test, {_counted(m, 'comparison')} declared beforehand, 5 % for all of them together by Holm)."
    )


def _finding(varying: list[str], by_cell: pd.DataFrame, part: pd.DataFrame) -> str:
    """What is shown of two levels of one axis, over all settings of the others."""
    axis = part["axis"].iloc[0]
    others = [name for name in ("series", *varying) if name != axis and by_cell[name].nunique() > 1]
    a, b = (_level(axis, part[f"level_{side}"].iloc[0]) for side in "ab")
    claims = []
    for verdict, better, worse, sign in ((A_BEATS_B, a, b, -1), (B_BEATS_A, b, a, 1)):
        held = part[part["verdict"] == verdict]
        if len(held):
            claims.append(f"{better} beats {worse}{_where(others, by_cell, held, part)}{_factors(sign, held)}")
    unshown = part[part["verdict"] == NOT_SHOWN]
    if not claims:
        return f"Neither of {a} and {b} is shown to beat the other{_where(others, by_cell, unshown, part)}."
    if len(unshown):
        claims.append(f"neither is shown to beat the other in {len(unshown)}")
    text = "; ".join(claims)
    return f"{text[0].upper()}{text[1:]}." if axis != "series" else f"{text}."


def _level(axis: str, text: str) -> str:
    return text if axis == "series" else f"{axes.LABELS[axis]} {text}"


def _where(others: list[str], by_cell: pd.DataFrame, held: pd.DataFrame, part: pd.DataFrame) -> str:
    """At which settings of the other axes; empty where there is only one such setting."""
    if len(part) == 1:
        return ""
    if len(held) == len(part):
        return " in both comparisons" if len(part) == 2 else f" in all {len(part)} comparisons"
    share = f" in {len(held)} of {len(part)} comparisons"
    if len(held) > MOST_PLACES:
        return share
    names = ", ".join("activation" if name == "series" else axes.LABELS[name] for name in others)
    places = (tuple(axes.level_text(name, by_cell.loc[cell, name]) for name in others) for cell in held["a"])
    return f"{share} ({names}: {'; '.join(', '.join(place) for place in places)})"


def _factors(sign: int, held: pd.DataFrame) -> str:
    """By which factor the better test mse is typically smaller, from the least to the most."""
    factors = 10.0 ** (sign * held["log10_ratio"].to_numpy(np.float64))
    least, most = (MORE if np.isinf(value) else f"{value:.3g}" for value in (factors.min(), factors.max()))
    if least == MORE:
        return f", which typically {MORE}"
    return f", in test mse by a factor of {least}{'' if least == most else f' to {most}'}"


def _counted(n: int, word: str) -> str:
    return f"{n} {word}{'' if n == 1 else 's'}"


def contrast_table(contrasts: pd.DataFrame) -> Table:
    """Every declared comparison of a sweep with its test."""
    rows = [
        [
            f"{row['a']} against {row['b']}",
            f"{row['a_smaller']} of {row['n_pairs']}",
            f"{row['b_smaller']} of {row['n_pairs']}",
            _ratio(row["log10_ratio"]),
            *(MISSING if pd.isna(row[name]) else f"{row[name]:.2g}" for name in ("p", "p_holm")),
            row["verdict"],
        ]
        for _, row in contrasts.iterrows()
    ]
    header = ["a against b", "a smaller", "b smaller", "typical mse a / mse b", "p", "p after Holm", "shown"]
    return Table("Every declared comparison: paired test mse, exact signed-rank test", header, rows)


def _ratio(log10_ratio: float) -> str:
    if np.isinf(log10_ratio):
        return "a diverged" if log10_ratio > 0 else "b diverged"
    return number(10.0**log10_ratio)
