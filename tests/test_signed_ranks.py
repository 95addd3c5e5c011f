"""The paired test: against SciPy, against every sign flip written out, and by hand."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from shoal.pipeline.statistics import averages, quantile
from shoal.pipeline.statistics import signed_ranks as signed_ranks_module
from shoal.pipeline.statistics.signed_ranks import compare, differences, holm, p_value, shift, signed_ranks, smallest_p

INF = math.inf
TIED = st.lists(st.sampled_from([-INF, -2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0, INF]), min_size=1, max_size=9)
P = st.lists(st.floats(0, 1), min_size=1, max_size=5)


def by_every_flip(d: list[float]) -> float:
    ranks = np.abs(signed_ranks(np.array(d)))
    observed = abs(float(signed_ranks(np.array(d)).sum()))
    sums = [abs(float(np.dot(signs, ranks))) for signs in itertools.product((-1, 1), repeat=len(d))]
    return sum(total >= observed for total in sums) / len(sums)


@given(TIED)
def test_p_counts_every_flip(d: list[float]) -> None:
    assert p_value(np.array(d)) == pytest.approx(by_every_flip(d), rel=1e-12)


@pytest.mark.parametrize("n", [5, 10, 20, 40])
@pytest.mark.parametrize("centre", [0.0, 0.4])
def test_p_is_scipys_where_nothing_ties(n: int, centre: float) -> None:
    d = np.random.default_rng(n).normal(centre, size=n)
    assert p_value(d) == pytest.approx(stats.wilcoxon(d, method="exact").pvalue, rel=1e-10)


def test_p_is_scipys_sign_flip_permutation_test() -> None:
    d = np.array([1.0, 1.0, 2.0, -1.0, 3.0, 0.0, 4.0, -0.5, 6.0, 2.0])
    found = stats.permutation_test(
        (signed_ranks(d),), lambda x: x.sum(), permutation_type="samples", n_resamples=np.inf, vectorized=False
    )
    assert p_value(d) == pytest.approx(found.pvalue, rel=1e-12)


@pytest.mark.parametrize(
    ("d", "expected"),
    [
        ([1.0, 2.0, 3.0, 4.0], 2 / 16),
        ([1.0, 2.0, 3.0, -4.0], 14 / 16),
        ([-1.0, 2.0, 3.0, 4.0], 4 / 16),
        ([INF, 2.0, 3.0, 4.0], 2 / 16),
        ([INF, -INF, 1.0], 1.0),
        ([0.0, 0.0], 1.0),
        ([0.0, 1.0, 1.0], 2 / 4),
    ],
)
def test_p_by_hand(d: list[float], expected: float) -> None:
    assert p_value(np.array(d)) == expected


def test_p_of_many_pairs_is_exact_too() -> None:
    """All of one sign, for as many pairs as no list of flips could hold."""
    assert p_value(np.arange(1.0, 201.0)) == smallest_p(200) == 2.0**-199


@pytest.mark.parametrize("n", [1, 5, 10, 20])
def test_the_smallest_p_is_that_of_one_sign(n: int) -> None:
    assert p_value(-np.arange(1.0, n + 1)) == smallest_p(n)


def test_two_that_diverged_are_equal_and_one_alone_is_worse_by_infinity() -> None:
    a, b = np.array([INF, INF, -3.0, -2.0, -INF]), np.array([INF, -1.0, INF, -1.5, -INF])
    assert list(differences(a, b)) == [0, INF, -INF, -0.5, 0]


def test_ranks_by_hand() -> None:
    d = np.array([0.3, -0.1, INF, 0.0, -0.3, -INF])
    assert list(signed_ranks(d)) == [3.5, -2, 5.5, 0, -3.5, -5.5]


# ---- the estimate


@pytest.mark.parametrize(
    ("d", "expected"),
    [
        ([1.0, 2.0, 4.0], 2.25),
        ([1.0, -1.0], 0.0),
        ([INF, INF, 1.0], INF),
        ([INF, -INF, 1.0], 0.5),
        ([-INF, -2.0, -1.0, -1.0, -1.0], -1.5),
    ],
)
def test_shift_by_hand(d: list[float], expected: float) -> None:
    assert shift(np.array(d)) == expected


@given(TIED)
def test_shift_and_ranks_are_on_the_same_side(d: list[float]) -> None:
    total, middle = signed_ranks(np.array(d)).sum(), shift(np.array(d))
    assert total * (middle if math.isfinite(middle) else math.copysign(1, middle)) >= 0 or total == 0


def test_comparison() -> None:
    a, b = np.array([-3.0, -2.0, INF, -4.0]), np.array([-2.0, -2.0, -1.0, -1.0])
    found = compare(a, b)
    assert (found.n_pairs, found.a_smaller, found.b_smaller) == (4, 2, 1)
    assert found.log10_ratio == -0.25, "half way from -0.5, of -1 and 0, to 0"
    assert found.favours_a, "ranks of -1, 0, +infinity and -3 are -2, 0, 4 and -3"
    assert not compare(b, a).favours_a


# ---- Holm


def test_holm_by_hand() -> None:
    assert list(holm([0.01, 0.04, 0.03, 0.005])) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert list(holm([0.5, 0.9])) == [1.0, 1.0]
    assert list(holm([])) == []


@given(P)
def test_holm_is_the_closure_of_bonferronis(p: list[float]) -> None:
    """A hypothesis is rejected if every set of hypotheses that holds it is: the largest of |S| min p over them."""
    sets = [s for size in range(1, len(p) + 1) for s in itertools.combinations(range(len(p)), size)]
    expected = [max(min(1.0, len(s) * min(p[i] for i in s)) for s in sets if k in s) for k in range(len(p))]
    assert list(holm(p)) == pytest.approx(expected)


@pytest.mark.parametrize("name", ["distinct", "tied", "with zeros", "some infinite"])
@pytest.mark.parametrize("centre", [0.0, 0.03, 0.2, 0.6, 2.0])
def test_p_of_more_pairs_than_are_counted_is_near(name: str, centre: float) -> None:
    d = np.random.default_rng(3).normal(centre, size=signed_ranks_module.EXACT)
    d = {
        "distinct": d,
        "tied": np.round(d, 1) + 0.05,
        "with zeros": np.where(np.abs(d) < 0.3, 0.0, d),
        "some infinite": np.where(np.abs(d) > 1.5, np.copysign(INF, d), d),
    }[name]
    assert signed_ranks_module._approximate_p(signed_ranks(d)) == pytest.approx(p_value(d), rel=1e-3)


@pytest.mark.parametrize("n", [304, 100_000])
def test_p_of_many_pairs_at_its_ends(n: int) -> None:
    balanced = np.arange(1.0, n + 1) * np.where(np.arange(n) % 4 % 3 == 0, 1, -1)
    assert p_value(balanced) == 1.0
    assert p_value(np.zeros(n)) == 1.0
    assert p_value(np.arange(1.0, n + 1)) == pytest.approx(smallest_p(n), rel=0.2)


@given(
    st.lists(st.sampled_from([-INF, -2.0, -1.0, -0.3, 0.0, 0.5, 1.0, 2.0, INF]) | st.floats(-3, 3), min_size=1),
    st.integers(1, 5),
)
def test_the_shift_is_the_median_of_all_averages(d: list[float], many: int) -> None:
    values = np.array(d)
    i, j = np.triu_indices(len(values))
    with np.errstate(invalid="ignore"):
        sums = values[i] / 2 + values[j] / 2
    expected = quantile(np.where(np.isnan(sums), 0.0, sums), 0.5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(averages, "MANY", many)
        assert shift(values) == expected
    assert shift(values) == expected
