"""Prediction intervals: their half width by its definition, what they hold of new values, and too few rows for them."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from shoal.pipeline.data import Split
from shoal.pipeline.predictor import Predictor
from shoal.pipeline.statistics import conformal
from shoal.pipeline.study.check import check
from tests import interval_coverage, studies
from tests.datasets import configure, rows
from tests.test_predictor import NOTATION, PARAMS, Fitted, X, by_numpy, of

LEVELS = st.integers(1, 99).map(lambda percent: percent / 100)


def slow(residuals: np.ndarray, level: float) -> float:
    """The smallest half width that holds (n + 1) level of n values; NaN where all of them are too few."""
    sizes = sorted(map(abs, residuals.tolist()))
    wanted = (len(sizes) + 1) * Fraction(str(level))
    return next((size for size in sizes if sum(other <= size for other in sizes) >= wanted), np.nan)


@settings(max_examples=25, deadline=None)
@given(arrays(np.float64, st.tuples(st.integers(1, 40), st.integers(1, 3)), elements=st.floats(-9, 9)), LEVELS)
def test_half_widths_are_those_of_the_definition(residuals: np.ndarray, level: float) -> None:
    expected = [slow(column, level) for column in residuals.T]
    np.testing.assert_array_equal(conformal.half_widths(residuals, level), expected)


@pytest.mark.parametrize(("n", "level", "rank"), [(19, 0.55, 11), (9, 0.9, 9), (8, 0.9, 9), (99, 0.07, 7)])
def test_levels_count_as_they_are_written(n: int, level: float, rank: int) -> None:
    """20 * 0.55 and 100 * 0.07 are above 11 and 7 in floating point."""
    assert conformal.rank(n, level) == rank


@given(LEVELS)
def test_the_rows_that_are_needed_are_just_enough(level: float) -> None:
    n = conformal.rows_needed(level)
    assert not np.isnan(conformal.half_widths(np.ones((n, 1)), level)).any()
    assert conformal.too_few(n, level) == ""
    assert np.isnan(conformal.half_widths(np.ones((n - 1, 2)), level)).all() or n == 1
    if n > 1:
        assert conformal.too_few(n - 1, level).startswith(
            f"no prediction interval: found {n - 1} rows to calibrate on; allowed: {n} or more for interval: {level:g}"
        )


@pytest.mark.parametrize(("n", "level"), [(9, 0.9), (30, 0.8), (40, 0.95)])
def test_intervals_hold_what_they_promise(n: int, level: float) -> None:
    """Over 20,000 draws of rows and a new value, of a skewed law: ceil((n + 1) level) / (n + 1), within four errors."""
    draws = np.random.default_rng(3).gumbel(size=(20_000, n + 1)) ** 3
    widths = conformal.half_widths(draws[:, :n].T, level)
    held = float(np.mean(np.abs(draws[:, n]) <= widths))
    promised = conformal.rank(n, level) / (n + 1)
    assert promised >= level
    assert abs(held - promised) < 4 * np.sqrt(promised * (1 - promised) / len(draws))


def test_intervals_hold_new_values_after_choice_and_early_stopping() -> None:
    """The short form of `make coverage`, whose standard error is 2 %."""
    found = interval_coverage.coverages(4)
    assert all(0.84 < one.mean < 0.97 for one in found.values()) and len(found) == 4


def test_residuals_beyond_float64_are_wide_and_no_end() -> None:
    residuals = np.array([[np.inf], [np.nan], [1.0]])
    np.testing.assert_array_equal(conformal.half_widths(residuals, 0.7), [1e308])


def mean_of_three() -> tuple[Predictor, np.ndarray]:
    return of(*(Fitted.of(NOTATION, params) for params in PARAMS)), np.mean([*map(by_numpy, PARAMS)], axis=0)


def test_a_calibrated_predictor_answers_with_ends() -> None:
    predictor, y_hat = mean_of_three()
    off = np.array([[1.0], [-5.0], [2.0], [0.5], [-3.0], [4.0]])
    rows = Split(X, y_hat + off, np.arange(6))
    calibrated = conformal.calibrated(predictor, rows, 0.5)
    assert calibrated.columns == [f"charges_{kind}" for kind in ("predicted", "spread", "low", "high")]
    np.testing.assert_allclose(calibrated.answer(X)[:, 2:], np.hstack([y_hat - 3, y_hat + 3]), rtol=1e-12)
    assert conformal.coverage(calibrated, Split(X, y_hat + 0.9 * off, np.arange(6))) == [4 / 6]


def test_too_few_rows_leave_the_ends_empty() -> None:
    predictor, y_hat = mean_of_three()
    rows = Split(X, y_hat, np.arange(6))
    calibrated = conformal.calibrated(predictor, rows, 0.9)
    assert calibrated.columns[2:] == ["charges_low", "charges_high"]
    assert np.isnan(calibrated.answer(X)[:, 2:]).all() and np.isfinite(calibrated.answer(X)[:, :2]).all()
    assert conformal.coverage(calibrated, rows) == [None]


def test_check_says_what_an_interval_lacks(tmp_path: Path) -> None:
    """And each of its ways out is one."""
    (tmp_path / "t.csv").write_text("a,b,c\n" + rows(60), encoding="utf-8")

    def notices(level: float, share: float) -> list[str]:
        fractions = {"train": 0.9 - share, "validation": 0.05, "test": 0.05, "calibration": share}
        found = check(studies.keyed(configure(tmp_path, fractions=fractions), interval=level))
        assert not found.faults
        return [str(notice) for notice in found.notices if notice.where == "interval"]

    assert notices(0.9, 0.1) == [
        "warning: params.yaml: interval: 6 rows to calibrate on, of 9 that a level of 0.9 needs: it will be empty; a "
        "larger share data.fractions.calibration (from 0.167 on), more rows, or a level of up to 0.857"
    ]
    assert not notices(0.857, 0.1) + notices(0.9, 0.167)
    assert notices(0.858, 0.1)
