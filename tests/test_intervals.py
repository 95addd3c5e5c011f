"""The interquartile mean and its interval: against SciPy, by hand, with diverged networks, and how often they hold."""

from __future__ import annotations

import math
import tracemalloc
from collections.abc import Callable
from typing import Literal

import numpy as np
import pytest
from scipy import stats

from shoal.kernels.entropy import stream
from shoal.pipeline.statistics import intervals
from shoal.pipeline.statistics.intervals import GROUPS, LEVEL, RESAMPLES, interquartile_mean, interval
from tests import coverage

SEED = 9001
INF = math.inf


def sample(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).gumbel(size=n)


def level(n: int) -> float:
    """The normal level at which plain BCa has the ends of ours: z is Student's quantile."""
    return float(1 - 2 * stats.norm.cdf(-stats.t.ppf(0.975, n - 1)))


# ---- the interquartile mean


@pytest.mark.parametrize("n", [4, 8, 12, 20, 40])
def test_it_is_the_trimmed_mean_where_a_quarter_is_a_whole_number(n: int) -> None:
    assert interquartile_mean(sample(n)) == pytest.approx(stats.trim_mean(sample(n), 0.25), rel=1e-13)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([3.0], 3.0),
        ([1.0, 2.0], 1.5),
        ([1.0, 2.0, 6.0], (0.25 * 1 + 2 + 0.25 * 6) / 1.5),
        ([100.0, 1, 6, 5, 4, 3, 2, 0, 0, INF], (0.5 * 1 + 2 + 3 + 4 + 5 + 0.5 * 6) / 5),
        ([1.0, 2, 3, 4, 5, 6, 7, INF, INF, INF], INF),
        ([1.0, 2, 3, INF], 2.5),
        ([-INF, 2, 3, 4], 2.5),
        ([-INF, -INF, 3, 4], -INF),
        ([-INF, -INF, INF, INF], INF),
    ],
)
def test_it_by_hand(values: list[float], expected: float) -> None:
    assert interquartile_mean(np.array(values)) == pytest.approx(expected, rel=1e-13)


# ---- the interval


def scipys(values: np.ndarray, method: Literal["BCa", "percentile"]) -> tuple[float, float]:
    """SciPy's interval at our level; it draws the same resamples from the same stream."""
    n = len(values)
    low, high = stats.bootstrap(
        (np.sort(values),),
        lambda x, axis: np.apply_along_axis(interquartile_mean, axis, x),
        n_resamples=RESAMPLES,
        confidence_level=level(n),
        rng=stream(SEED, "bootstrap", n),
        method=method,
    ).confidence_interval
    return float(low), float(high)


@pytest.mark.parametrize("n", [10, 11, 20, 33])
def test_it_is_scipys_bca_at_students_level(n: int) -> None:
    found = scipys(sample(n), "BCa")
    assert interval(sample(n), SEED) == pytest.approx(found, rel=1e-10)


def test_fewer_than_ten_values_have_none() -> None:
    assert interval(sample(9), SEED) is None
    assert interval(sample(10), SEED) is not None


def test_equal_values_have_an_interval_of_one_point() -> None:
    assert interval(np.full(10, 0.3), SEED) == pytest.approx((0.3, 0.3))


def test_it_follows_from_the_values_and_the_root_seed_alone() -> None:
    values = sample(20)
    assert interval(values, SEED) == interval(values[::-1].copy(), SEED)
    assert interval(values, SEED) != interval(values, SEED + 1)


def test_it_moves_and_stretches_with_the_values() -> None:
    low, high = interval(sample(12), SEED) or (INF, INF)
    assert interval(1e-9 * sample(12) - 7, SEED) == pytest.approx((1e-9 * low - 7, 1e-9 * high - 7), rel=1e-13)
    mirrored = interval(-sample(12), SEED)
    assert mirrored is not None
    assert -mirrored[1] < interquartile_mean(sample(12)) < -mirrored[0]


# ---- diverged networks


def diverged(n: int, n_diverged: int) -> np.ndarray:
    return np.where(np.arange(n) < n - n_diverged, sample(n), INF)


def test_one_diverged_network_among_many_is_an_outlier() -> None:
    """Its size does not matter to ranks, so that a large number in its place gives the same ends."""
    outlier = np.where(np.isinf(diverged(40, 1)), 1e6, diverged(40, 1))
    assert interval(diverged(40, 1), SEED) == interval(outlier, SEED)


@pytest.mark.parametrize("n_diverged", [5, 6, 9])
def test_as_many_as_could_be_over_a_quarter_leave_the_upper_end_open(n_diverged: int) -> None:
    """Then the ends are those of the percentile interval, where SciPy has a large number for infinity."""
    values = diverged(20, n_diverged)
    low, high = interval(values, SEED) or (0, 0)
    assert high == INF

    found = scipys(np.where(np.isinf(values), 1e9, values), "percentile")
    assert low == pytest.approx(found[0], rel=1e-10)
    assert low < 5 < 1e6 < found[1]


def test_the_estimate_may_be_finite_and_the_upper_end_not() -> None:
    values = diverged(20, 4)
    assert math.isfinite(interquartile_mean(values))
    low, high = interval(values, SEED) or (0, 0)
    assert math.isfinite(low)
    assert high == INF


def test_where_most_diverged_both_ends_are_infinite() -> None:
    assert interval(diverged(20, 19), SEED) == (INF, INF)
    assert interval(np.full(10, INF), SEED) == (INF, INF)


# ---- coverage


@pytest.mark.parametrize("n", [10, 20])
@pytest.mark.parametrize("name", ["skewed: lognormal", "bimodal: 50 % and 50 %", "normal, 20 % diverged"])
def test_it_holds_the_truth_as_often_as_it_says(name: str, n: int) -> None:
    """The short form of `make coverage-check`: of 1,000 trials the standard error is 0.7 %."""
    share = coverage.coverage(coverage.LAWS[name], n, 1000)
    assert coverage.LOWEST <= share <= coverage.HIGHEST


def test_coverage_tells_an_interval_that_is_too_narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coverage, "interval", lambda values, seed: np.quantile(values, (0.4, 0.6)))
    law = coverage.LAWS["normal"]
    assert not coverage.in_range(coverage.coverage(law, 20, 300), law)


def test_truths_are_those_of_the_laws() -> None:
    assert coverage.truth(coverage.LAWS["normal"]) == pytest.approx(0, abs=1e-9)
    assert coverage.truth(coverage.LAWS["skewed: exponential"]) == pytest.approx(
        1 + 2 * (0.25 * math.log(0.25) - 0.75 * math.log(0.75)), rel=1e-6
    )
    assert coverage.truth(coverage.LAWS["bimodal: 50 % and 50 %"]) == pytest.approx(-2, abs=0.1)
    assert coverage.truth(coverage.LAWS["normal, 40 % diverged"]) == INF


# ---- more values than are resampled one by one


@pytest.mark.parametrize("n", [GROUPS + 1, 2 * GROUPS + 501])
@pytest.mark.parametrize("law", [lambda x: x, np.exp, lambda x: np.where(x > 1, INF, x)])
def test_many_values_have_the_interval_of_their_groups(
    n: int, law: Callable[[np.ndarray], np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    values = law(np.random.default_rng(n).normal(size=n))
    low, high = interval(values, SEED) or (INF, INF)
    monkeypatch.setattr(intervals, "GROUPS", n)
    monkeypatch.setattr(intervals, "RESAMPLES", 2000)
    expected = interval(values, SEED)
    assert expected is not None
    assert (low, high) == pytest.approx(expected, abs=0.08 * (high - low))
    assert low < interquartile_mean(values) < high


@pytest.mark.parametrize(("share", "ends"), [(0.2, (True, True)), (0.245, (True, False)), (0.4, (False, False))])
def test_many_that_diverged_open_the_ends_too(share: float, ends: tuple[bool, bool]) -> None:
    values = diverged(5000, int(5000 * share))
    found = interval(values, SEED)
    assert found is not None
    assert tuple(map(math.isfinite, found)) == ends


def test_a_hundred_thousand_values_take_the_memory_of_a_thousand() -> None:
    values = np.random.default_rng(0).normal(size=100_000)
    tracemalloc.start()
    found = interval(values, SEED)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found is not None
    assert peak < 1e9
    half = stats.t.ppf((1 + LEVEL) / 2, 99_999) * 1.1 / math.sqrt(100_000)  # the IQM of normal values has 1.19 / n
    assert found == pytest.approx((found[0], found[0] + 2 * half), abs=0.1 * half)
