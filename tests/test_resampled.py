"""Intervals and tests over splits: plain Student where nothing overlaps, wider where training sets do."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from shoal.pipeline.statistics.resampled import interval, p_value

INF = math.inf


@pytest.mark.parametrize("n", [2, 5, 10])
def test_without_overlap_they_are_students(n: int) -> None:
    values = np.random.default_rng(n).normal(0.3, size=n)
    expected = stats.ttest_1samp(values, 0)
    assert p_value(values, 0) == pytest.approx(expected.pvalue, rel=1e-9)
    assert interval(values, 0) == pytest.approx(tuple(expected.confidence_interval(0.95)), rel=1e-9)


def test_overlap_by_hand() -> None:
    """10 splits, a fourth of what is trained on held out: the deviation is sqrt(0.35) s in place of sqrt(0.1) s."""
    values = np.arange(10.0)
    low, high = interval(values, 0.25)
    assert (low + high) / 2 == pytest.approx(4.5)
    assert (high - low) / 2 == pytest.approx(2.2621571628 * math.sqrt(0.35) * math.sqrt(55 / 6), rel=1e-9)
    assert p_value(values, 0.25) == pytest.approx(2 * stats.t.sf(4.5 / math.sqrt(0.35 * 55 / 6), 9))


def test_it_holds_the_truth_over_folds_of_a_mean() -> None:
    """Ten half samples of 40 values each: the plain interval holds the truth far less often than it says."""
    rng, found = np.random.default_rng(0), {0.0: 0, 1.0: 0}
    for _ in range(400):
        sample = rng.normal(size=40)
        halves = np.array([rng.permutation(sample)[:20].mean() for _ in range(10)])
        for held_out in found:
            low, high = interval(halves, held_out)
            found[held_out] += low <= 0 <= high
    assert found[0.0] < 0.7 * 400
    assert found[1.0] >= 0.93 * 400


@pytest.mark.parametrize(
    ("differences", "p"), [([0.0, 0.0, 0.0], 1.0), ([0.5, 0.5, 0.5], 0.0), ([INF, 1.0, 2.0], 1.0), ([INF, -INF], 1.0)]
)
def test_p_at_its_limits(differences: list[float], p: float) -> None:
    assert p_value(np.array(differences), 0.2) == p


def test_where_splits_diverged_both_ends_are_infinite() -> None:
    assert interval(np.array([0.1, INF, 0.3]), 0.2) == (INF, INF)
