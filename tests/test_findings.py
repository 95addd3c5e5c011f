"""Sentences on comparisons: they say what the tests show, where, and when nothing could have been shown."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest

from shoal.pipeline.report.claims.findings import contrast_table, findings, strongest
from shoal.pipeline.report.results import SweepResults
from shoal.pipeline.statistics import contrasts
from shoal.pipeline.statistics.contrasts import Contrast
from shoal.pipeline.tasks.regression import MSE

NAMES = [f"{series} {width}" for series in ("relu", "tanh") for width in (5.0, 10.0)]
PAIRS = [
    *(Contrast("series", f"relu {width}", f"tanh {width}", "relu", "tanh") for width in (5.0, 10.0)),
    *(Contrast("width", f"{series} 5.0", f"{series} 10.0", "5", "10") for series in ("relu", "tanh")),
]
NOISE = np.array([0.0, 0.1, -0.2, 0.3, -0.1, 0.2, -0.3, 0.05, 0.15, -0.25, 0.33, -0.17])


def sweep(errors: pd.DataFrame, pairs: list[Contrast]) -> SweepResults:
    """What findings read of a sweep: its axes, cells and contrasts."""
    cells = pd.DataFrame({"cell": NAMES, "series": [name[:4] for name in NAMES], "width": [5.0, 10.0] * 2})
    cells["test_error_median"] = 10.0 ** errors[NAMES].median().to_numpy()
    cells["n_diverged"] = np.isposinf(errors[NAMES]).sum().to_numpy()
    table = contrasts.contrast_table("s", pairs, errors)
    found: Any = SimpleNamespace(axes=["width"], cells=cells, contrasts=table, error=MSE)
    return cast(SweepResults, found)


def errors(levels: dict[str, float], n: int = 12) -> pd.DataFrame:
    """log10 errors of n replicates: a level for each cell, and differences that change sign where levels are equal."""
    return pd.DataFrame({name: levels[name] + NOISE[:n] * (1 + k) for k, name in enumerate(NAMES)})


FLAT = dict.fromkeys(NAMES, -3.0)


def test_who_beats_whom_and_where_and_by_how_much() -> None:
    levels = {"relu 5.0": -2.0, "relu 10.0": -5.0, "tanh 5.0": -4.0, "tanh 10.0": -5.0}
    method, series, width = findings(sweep(errors(levels), PAIRS))
    assert method.startswith("'Beats' means a smaller test mse over 12 pairs of networks that started alike")
    assert "4 comparisons declared beforehand" in method
    assert series == (
        "tanh beats relu in 1 of 2 comparisons (nodes per layer 5), by a factor of 96.6; nothing is shown in the other "
        "one."
    )
    all_of_them = "10 nodes per layer beat 5 in both comparisons, by a factor of "
    assert width.startswith(all_of_them)
    least, most = (float(text.rstrip(".")) for text in width.removeprefix(all_of_them).split(" to "))
    assert 8 < least < 12
    assert 800 < most < 1200


def test_a_single_comparison_needs_no_place() -> None:
    levels = FLAT | {"tanh 5.0": -4.0}
    _, sentence = findings(sweep(errors(levels), PAIRS[:1]))
    assert sentence == "tanh beats relu, by a factor of 9.66."
    _, sentence = findings(sweep(errors(FLAT), PAIRS[:1]))
    pairs = "relu has the smaller test mse in 6 of 12 pairs, tanh in 5"
    assert sentence == f"Neither of relu and tanh is shown to beat the other ({pairs})."
    _, sentence = findings(sweep(errors(FLAT), PAIRS[:2]))
    assert sentence == "Neither of relu and tanh is shown to beat the other in either comparison."


def test_a_cell_that_diverged_is_beaten_without_a_number() -> None:
    levels = FLAT | {"relu 5.0": np.inf}
    _, sentence = findings(sweep(errors(levels), PAIRS[:1]))
    assert sentence == "tanh beats relu, which typically diverges."
    assert contrast_table(sweep(errors(levels), PAIRS[:1])).rows[0][3] == "a diverged"


@pytest.mark.parametrize(
    ("n", "m", "why", "needed"),
    [
        (9, 1, "with 9 replicates: claims need at least 10.", "10 replicates could."),
        (10, 26, "over 26 comparisons no p could have been below 0.051 after Holm", "11 replicates could."),
    ],
)
def test_it_says_when_nothing_could_have_been_shown(n: int, m: int, why: str, needed: str) -> None:
    levels = FLAT | {"tanh 5.0": -9.0}
    [sentence] = findings(sweep(errors(levels, n), PAIRS[:1] * m))
    assert sentence.startswith("Whether one of these cells beats another could not have been shown with ")
    assert why in sentence
    assert sentence.endswith(needed)
    assert "beats relu" not in sentence


def test_the_strongest_finding_is_shown_most_often() -> None:
    levels = {"relu 5.0": -2.0, "relu 10.0": -5.0, "tanh 5.0": -4.0, "tanh 10.0": -5.0}
    assert strongest(sweep(errors(levels), PAIRS)).startswith("10 nodes per layer beat 5 in both comparisons")


def test_one_cell_alone_has_no_findings() -> None:
    assert findings(sweep(errors(FLAT), [])) == []


def test_the_table_has_every_comparison() -> None:
    table = contrast_table(sweep(errors(FLAT | {"tanh 5.0": -4.0}), PAIRS))
    assert [row[0] for row in table.rows] == [f"{pair.a} against {pair.b}" for pair in PAIRS]
    assert table.rows[0][1:3] == ["0 of 12", "12 of 12"]
    assert table.rows[0][-1] == "b beats a"
    few = contrast_table(sweep(errors(FLAT, 5), PAIRS))
    assert {row[4] for row in few.rows} == {"-"}
