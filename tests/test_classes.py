"""The parts of a classification by slow definitions: errors, links, baselines, labels of a table, and their splits."""

from __future__ import annotations

import math
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from shoal.pipeline.baselines import logistic, prior
from shoal.pipeline.classes import Classes
from shoal.pipeline.data.splitting import spread
from shoal.pipeline.predictor import Fitted, Predictor
from shoal.pipeline.scaling import Scaling
from shoal.pipeline.statistics.probabilities import bins, roc, wilson
from shoal.pipeline.tasks import CLASSIFICATION
from shoal.pipeline.tasks.classification import CROSS_ENTROPY, EPSILON
from tests import naive, studies
from tests.datasets import build, faults, has

RNG = np.random.default_rng(6)
MEASURES = {measure.column: measure.measure for measure in CLASSIFICATION.in_units.measures}
LOG_LOSS = CLASSIFICATION.error.measure


def drawn(n: int, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities (n, k), some of them equal, and one-hot y with a row of each class."""
    p = np.round(naive.softmax(RNG.normal(size=(n, k))), 1)
    return p / p.sum(axis=1, keepdims=True), np.eye(k)[RNG.permutation([*range(k), *RNG.integers(0, k, n - k)])]


# ---- errors


@pytest.mark.parametrize("k", [2, 4])
def test_errors_count_what_their_definitions_say(k: int) -> None:
    p, y = drawn(60, k)
    true = [int(np.flatnonzero(row)[0]) for row in y]
    likeliest = [max(range(k), key=lambda c, row=row: (row[c], -c)) for row in p]  # type: ignore[misc]
    of_rows = [-math.log(min(max(row[c], 2.0**-52), 1 - 2.0**-52)) for row, c in zip(p, true, strict=True)]
    right = [a == b for a, b in zip(true, likeliest, strict=True)]
    recalls = [np.mean([r for r, c in zip(right, true, strict=True) if c == one]) for one in range(k)]
    assert LOG_LOSS(p, y, np.ones(k)) == MEASURES["log_loss"](p, y) == pytest.approx(np.mean(of_rows), rel=1e-14)
    assert CLASSIFICATION.in_units.of_rows(p, y).tolist() == pytest.approx(of_rows, rel=1e-14)
    assert MEASURES["accuracy"](p, y) == pytest.approx(np.mean(right))
    assert MEASURES["balanced_accuracy"](p, y) == pytest.approx(np.mean(recalls))
    assert [m.column for m in CLASSIFICATION.in_units.beside(k)][2:] == ["roc_auc"] * (k == 2)


def test_the_auc_counts_pairs_of_rows_of_both_classes() -> None:
    p, y = drawn(40, 2)
    pairs = [(a, b) for a, b in product(p[y[:, 1] == 1, 1], p[y[:, 1] == 0, 1])]
    assert MEASURES["roc_auc"](p, y) == pytest.approx(np.mean([(a > b) + (a == b) / 2 for a, b in pairs]), rel=1e-14)
    assert any(a == b for a, b in pairs)
    assert np.isnan(MEASURES["roc_auc"](p, np.eye(2)[np.zeros(40, int)]))


@given(st.lists(st.tuples(st.integers(0, 20), st.booleans()), min_size=2, max_size=60))
def test_the_area_below_the_roc_curve_is_the_auc(rows: list[tuple[int, bool]]) -> None:
    p, is_so = np.array([20.0 - k for k, _ in rows]) / 20, np.array([so for _, so in rows])
    assume(is_so.any() and not is_so.all())
    others, found = roc(p, is_so)
    auc = MEASURES["roc_auc"](np.stack([1 - p, p], axis=1), np.eye(2)[is_so.astype(int)])
    assert np.trapezoid(found, others) == pytest.approx(auc, abs=1e-12)
    assert (others[0], found[0], others[-1], found[-1]) == (0, 0, 1, 1)
    assert (np.diff(others) >= 0).all() and (np.diff(found) >= 0).all()


def test_bins_hold_every_row_and_their_intervals_the_share() -> None:
    p, is_so = np.round(RNG.random(300), 2), RNG.random(300) < 0.3
    found = bins(np.append(p, [0.0, 1.0]), np.append(is_so, [False, True]))
    assert sum(one.n for one in found) == 302
    assert all(one.start <= one.mean <= one.end and one.low < one.share < one.high for one in found)
    assert wilson(0.0, 10) == pytest.approx((0, 0.2775), abs=1e-4)  # scipy.stats.binomtest(0, 10), method wilson
    assert wilson(1.0, 10) == pytest.approx((0.7225, 1), abs=1e-4)


def test_an_impossible_row_counts_as_much_as_the_clipping_allows() -> None:
    sure = np.array([[1.0, 0.0]])
    assert LOG_LOSS(sure, np.array([[0.0, 1.0]]), np.ones(2)) == -math.log(EPSILON)
    assert 0 < LOG_LOSS(sure, sure, np.ones(2)) < 1e-15


def test_the_cost_is_the_oracles_and_the_log_loss_of_the_softmax() -> None:
    z, y = 3 * RNG.normal(size=(9, 3)), np.eye(3)[RNG.integers(0, 3, 9)]
    costs = CROSS_ENTROPY.of_samples(z, y, ())
    np.testing.assert_allclose(costs, naive.loss("cross_entropy", z, y, 0.0), rtol=1e-12, atol=1e-15)
    [total] = CROSS_ENTROPY.in_units(costs.mean(axis=0)[np.newaxis], np.ones(3))
    assert total == pytest.approx(LOG_LOSS(naive.softmax(z), y, np.ones(3)), rel=1e-12)


# ---- predictions

NOTATION = "dense 4 > tanh > dense 3"
PARAMS = RNG.normal(size=(2, 4 * 3 + 15))


def predictor(labels: tuple[Any, ...], *params: np.ndarray) -> Predictor:
    networks = tuple(Fitted.of(NOTATION, one) for one in params)
    scalings = Scaling.identity(2), Scaling.identity(3)
    return Predictor(("a", "b"), ("t",), *scalings, networks, classes=Classes(labels))


def test_each_network_has_its_softmax_and_then_they_are_averaged(tmp_path: Path) -> None:
    x = RNG.normal(size=(7, 2))
    several = predictor((2, 3, 30), *PARAMS)
    each = [naive.softmax(studies.forward(NOTATION, params, x)) for params in PARAMS]
    p = np.mean(each, axis=0)
    several.save(tmp_path / "p.json")
    for one in (several, Predictor.load(tmp_path / "p.json")):
        table = one.table(x)
        assert list(table) == ["t_predicted", "t_probability_2", "t_probability_3", "t_probability_30", "t_spread"]
        np.testing.assert_allclose(one.predict(x), p, rtol=1e-12)
        np.testing.assert_array_equal(np.column_stack(list(table.values())[1:4]), one.predict(x))
        assert table["t_predicted"].tolist() == [(2, 3, 30)[k] for k in p.argmax(axis=1)]
        spread_of = [np.std([a[n, k] for a in each]) for n, k in enumerate(p.argmax(axis=1))]
        np.testing.assert_allclose(table["t_spread"], spread_of, rtol=1e-10)
    assert list(predictor((False, True), PARAMS[0]).columns) == [
        "t_predicted",
        "t_probability_false",
        "t_probability_true",
    ]


def test_no_logit_is_too_large_and_an_unknown_one_has_no_label() -> None:
    far = predictor(("a", "b", "c"), 1e300 * np.abs(PARAMS[0])).predict(np.ones((1, 2)))
    assert np.isfinite(far).all() and far.sum() == 1
    table = predictor(("a", "b", "c"), np.full(27, np.nan)).table(np.ones((2, 2)))
    assert table["t_predicted"].tolist() == [None, None]


# ---- baselines


def test_logistic_regression_is_where_no_step_makes_its_cost_smaller() -> None:
    x, y = RNG.normal(size=(50, 3)) * [1, 10, 0.1], np.eye(3)[np.arange(50) % 3]
    x[:, 0] += y @ [0, 1, 2]
    model = logistic.fit(x, y, x[::3], y[::3])
    z, (penalty,) = (x - x.mean(axis=0)) / x.std(axis=0), model.penalties

    def cost(weights: np.ndarray, intercept: np.ndarray) -> float:
        p = naive.softmax(z @ weights + intercept)
        return float(-(y * np.log(p)).sum(axis=1).mean() + penalty / 2 * (weights**2).sum())

    least = cost(model.weights, model.intercept)
    for step in RNG.normal(size=(20, 12)) * 1e-3:
        assert cost(model.weights + step[:9].reshape(3, 3), model.intercept + step[9:]) > least - 1e-9
    np.testing.assert_allclose(model.predict(x), naive.softmax(z @ model.weights + model.intercept), rtol=1e-9)
    assert penalty in logistic.PENALTIES


def test_the_prior_is_the_share_of_each_class() -> None:
    y = np.eye(3)[[0, 0, 0, 1, 2, 2]]
    model = prior.fit(np.ones((6, 2)), y, np.ones((1, 2)), y[:1])
    np.testing.assert_allclose(
        model.predict(RNG.normal(size=(4, 2))), np.tile([3 / 6, 1 / 6, 2 / 6], (4, 1)), rtol=1e-14
    )


# ---- labels and splits


@given(st.lists(st.integers(0, 5), min_size=1, max_size=30), st.integers(0, 100))
def test_every_stratum_has_its_share_of_the_first_rows(strata: list[int], seed: int) -> None:
    n, order = len(strata), np.random.default_rng(seed).permutation(len(strata))
    found = spread(order, np.array(strata)[order])
    assert sorted(found.tolist()) == list(range(n))
    for stratum in set(strata):
        m, first = strata.count(stratum), np.cumsum(np.array(strata)[found] == stratum)
        assert np.abs(first - m * np.arange(1, n + 1) / n).max() <= 0.5 + m * len(set(strata)) / (2 * n) + 1e-12


def table(labels: list[object], header: str = "a,b,c") -> str:
    return "\n".join([header, *(f"{i % 7},{i * i % 11},{label}" for i, label in enumerate(labels))]) + "\n"


@pytest.mark.parametrize(
    ("cells", "labels"),
    [
        (["b", "a", " c "], ("a", "b", "c")),
        (["3", "1.0", "-2"], (-2, 1, 3)),
        (["007", "7", "1"], ("007", "1", "7")),
        (["TRUE", "false", "False"], (False, True)),
        (["12345678901234567891", "2", "3"], ("12345678901234567891", "2", "3")),
        (["1", "2", "many"], ("1", "2", "many")),
    ],
)
def test_labels_are_whole_numbers_true_and_false_or_text(
    cells: list[object], labels: tuple[Any, ...], tmp_path: Path
) -> None:
    (tmp_path / "t.csv").write_text(table(cells * 10), encoding="utf-8")
    dataset = build(tmp_path, task="classification")
    assert [(label, type(label)) for label in dataset.classes.labels] == [(label, type(label)) for label in labels]
    assert dataset.n_outputs == len(labels) and dataset.y_scaling.scale.tolist() == [1] * len(labels)
    counts = np.array([20, 10] if labels == (False, True) else [10] * 3)
    assert dataset.train.y.sum(axis=0).tolist() == (0.6 * counts).tolist()
    assert dataset.test.y.sum(axis=0).tolist() == (0.2 * counts).tolist()


AS_CLASSES = "as data.task is classification"
FAULTS: dict[str, dict[str, Any]] = {
    "column 'c', row 5: found an empty cell; allowed: the class of the row; fill the cell or remove the row": {
        "cells": [*"aba", "", *"ababababababa"]
    },
    "column 'c', row 2: found '1.5' (and 8 more of the column that are no such class); allowed: text, true and false, "
    f"or whole numbers, {AS_CLASSES}; task: regression below data predicts numbers": {"cells": [1.5, 2] * 9},
    f"column 'c': found 1 class in the 11 rows to train on; allowed: 2 to 100, {AS_CLASSES}": {"cells": ["x"] * 18},
    "column 'c': found 102 classes in the 122 rows to train on": {"cells": list(range(102)) * 2},
    "column 'c', row 11: found 'z'; allowed: a class that rows to train on have (a, b); add rows of it, remove this": {
        "cells": [*"ababababa", "z"],
        "splits": {"kind": "ordered"},
    },
    "data.task: found 'classification'; allowed: regression; or classification with one column in data.targets": {
        "cells": ["a", "b"] * 9,
        "targets": ["b", "c"],
    },
}


@pytest.mark.parametrize("message", FAULTS)
def test_what_can_be_no_class_is_told_with_a_way_out(message: str, tmp_path: Path) -> None:
    keys = dict(FAULTS[message])
    cells = keys.pop("cells")
    assert has(faults(tmp_path, table(cells), task="classification", **keys), message)
