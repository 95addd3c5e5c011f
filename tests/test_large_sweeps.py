"""Figures and tables of sweeps of thousands of cells are of bounded size, and say what they leave out."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shoal.pipeline import store
from shoal.pipeline.figures import heatmap, room, scores
from shoal.pipeline.report.claims.findings import MOST_PAIRS, claims, contrast_table
from shoal.pipeline.report.claims.wording import MOST_TEXTS, shortened
from shoal.pipeline.report.document.pdf import layout
from shoal.pipeline.report.result_tables import MOST_BEST, MOST_ROWS, by_series, cell_table, score_table
from shoal.pipeline.report.results import SweepResults
from shoal.pipeline.statistics import RANKS, quantile, quantiles, resampled
from shoal.pipeline.statistics.effects import effects
from shoal.pipeline.statistics.intervals import interquartile_mean
from shoal.pipeline.tasks.regression import MSE
from tests.test_figures import grid_of

WIDEST = 40.0
"""Inches, 6,000 pixels."""


@pytest.fixture(scope="module")
def large() -> SweepResults:
    """A sweep of 40 x 50 cells, whose best one is no end of an axis."""
    cells = grid_of(depth=[1], width=list(range(1, 41)), learning_rate=[n / 1000 for n in range(1, 51)])
    medians = 1.0 + np.hypot(cells["width"] - 17, 1000 * cells["learning_rate"] - 23)
    for name in ("test_error", "validation_error", "train_error", "train_cost"):
        cells = cells.assign(**{f"{name}_{rank}": medians for rank in RANKS})
    cells = cells.assign(n_diverged=0, loss=None, **{name: np.log10(medians) for name in MSE.interval_columns})
    settings = SimpleNamespace(architecture=None, optimizer="gd", duration="steps")
    contrasts = pd.DataFrame(
        [
            {"axis": "width", "a": a, "b": b, "level_a": str(n), "level_b": str(n + 1), "p": p, "p_holm": p}
            | {"a_smaller": 1, "b_smaller": 2, "n_pairs": 3, "log10_ratio": 0.1, "verdict": "not shown"}
            for n, (a, b, p) in enumerate(
                zip(cells["cell"], cells["cell"][1:151], np.linspace(1, 0, 150), strict=False)
            )
        ]
    )
    rest = dict.fromkeys(("dataset", "networks", "curves", "paths", "baselines"))
    return SweepResults("big", cast(Any, settings), cells=cells, contrasts=contrasts, part="", **cast(Any, rest))


def test_figures_have_a_bounded_size(large: SweepResults) -> None:
    few, note = room.few(large.cells, heatmap.room_of(large.axes))
    assert heatmap.heat_map(few, large.axes).get_figwidth() < WIDEST
    assert {17} <= set(few["width"]) and len(few) == room.COLUMNS * room.PANELS
    assert note.startswith(" Shown are 48 of 2,000 cells: ")
    x_axis, line_axis, _ = scores.split_axes(large.axes)
    assert len(room.few(large.cells, scores.room_of(x_axis, line_axis)).cells) == room.POINTS * room.LINES


@settings(max_examples=10, deadline=None)
@given(n=st.integers(1, 60), most=st.integers(2, 20), best=st.integers(0, 59))
def test_the_best_level_is_kept(n: int, most: int, best: int) -> None:
    cells = grid_of(depth=[1], width=list(range(1, n + 1)))
    cells.loc[best % n, "validation_error_median"] = 0.0
    few, note = room.few(cells, {"width": most, "series": 1})
    assert len(few) == min(n, most)
    assert best % n + 1 in set(few["width"])
    assert (note == "") == (n <= most)


def test_tables_show_the_best_cells_and_say_where_all_are(large: SweepResults) -> None:
    listed, every = score_table(large), cell_table(large)
    assert (len(listed.rows), len(every.rows)) == (MOST_BEST, MOST_ROWS)
    best = large.cells.loc[large.cells["test_error_median"].idxmin(), "cell"]
    for table in (listed, every):
        assert table.rows[0][0] == best
        assert "of 2,000 cells" in table.caption and "evaluation/cells.parquet" in table.caption
        assert sum(len(part["rows"]) for one in by_series(table) for part in layout(one)) < 4 * MOST_ROWS


def test_comparisons_show_those_with_the_smallest_p(large: SweepResults) -> None:
    table = contrast_table(large)
    assert len(table.rows) == MOST_ROWS
    assert table.rows[0][0] == "c149 against c150"
    assert "of 150 comparisons" in table.caption and "evaluation/contrasts.parquet" in table.caption
    *sentences, last = claims(large, large.contrasts)
    assert len(sentences) == MOST_PAIRS
    assert last == f"{150 - MOST_PAIRS} other pairs of levels: evaluation/contrasts.parquet."


def test_lists_in_sentences_are_short() -> None:
    texts = [str(n) for n in range(100)]
    assert shortened(texts[:MOST_TEXTS]) == texts[:MOST_TEXTS]
    assert shortened(texts)[-2:] == ["... (88 more)", "99"]
    assert len(shortened(texts)) == MOST_TEXTS + 1


def test_an_effect_is_the_ratio_beside_the_best_level_all_else_equal() -> None:
    cells = grid_of(activation=["relu", "tanh"], depth=[1], width=[5, 10], learning_rate=[0.1, 0.2])
    factors = {"activation": {"relu": 1.0, "tanh": 3.0}, "width": {5: 2.0, 10: 1.0}, "learning_rate": {0.1: 1, 0.2: 4}}
    sizes = np.prod([cells[axis].map(by_level) for axis, by_level in factors.items()], axis=0)
    cells["validation_error_median"] = sizes
    starts = np.random.default_rng(0).normal(size=(12, 1))  # shared by all cells, so that pairs differ by the factors
    errors = pd.DataFrame(np.log10(sizes) + starts, columns=cells["cell"])
    found = effects(cells, errors, 0)
    known = {("series", "tanh"): 3.0, ("width", "5"): 2.0, ("learning_rate", "0.2"): 4.0}
    assert {(one.axis, one.level) for one in found if one.settings is None} == {
        ("series", "relu"),
        ("width", "10"),
        ("learning_rate", "0.1"),
    }
    for one in found:
        if one.log10_ratio is not None:
            expected = np.log10(known[one.axis, one.level])
            np.testing.assert_allclose([one.log10_ratio, one.low, one.high], expected, rtol=1e-9)
            assert one.settings == 4
    in_folds = cells.assign(**{store.HELD_OUT: 1 / 3, store.N_FOLDS: 4})
    ratios = np.random.default_rng(1).normal(size=12)  # replicate r is of fold r mod 4
    wide = errors.assign(**{cell: errors[cell] + ratios for cell in cells.loc[cells["series"] == "tanh", "cell"]})
    [of_folds] = [one for one in effects(in_folds, wide, 0) if one.level == "tanh"]
    by_fold = np.array([interquartile_mean(np.log10(3) + ratios[fold::4]) for fold in range(4)])
    expected = [by_fold.mean(), *resampled.interval(by_fold, 1 / 3)]
    np.testing.assert_allclose([of_folds.log10_ratio, of_folds.low, of_folds.high], expected, rtol=1e-9)
    errors[cells.loc[cells["series"] == "tanh", "cell"]] = np.inf
    assert [one.log10_ratio for one in effects(cells, errors, 0) if one.level == "tanh"] == [np.inf]


@settings(max_examples=10, deadline=None)
@given(
    st.lists(st.sampled_from([-np.inf, 0.0, 1.0, 2.5, np.inf]), min_size=1, max_size=9), st.sampled_from([0.25, 0.5])
)
def test_quantiles_of_columns_are_those_of_each(column: list[float], q: float) -> None:
    values = np.array([column, column[::-1]]).T
    np.testing.assert_array_equal(quantiles(values, q), [quantile(part, q) for part in values.T])
