"""What a task calls cost and error: the formulas that it says, by names that tables and people have for them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from shoal.kernels.network.architecture import Architecture
from shoal.kernels.network.losses import LOSSES
from shoal.pipeline import store
from shoal.pipeline.errors import OldFileError
from shoal.pipeline.statistics.errors import (
    best_first,
    best_networks,
    cost_label,
    costs_of,
    deciding,
    errors_of,
    task_of,
)
from shoal.pipeline.tasks import TASKS, Cost, reporting
from shoal.pipeline.tasks.regression import COSTS, HALF_MSE, MSE, REGRESSION, SCORE
from tests import naive

RNG = np.random.default_rng(5)
Y, Y_HAT, SCALE = RNG.normal(size=(7, 2)), RNG.normal(size=(7, 2)), np.array([0.5, 3.0])


def test_errors_of_regression_are_means_of_squares() -> None:
    by_target = ((Y_HAT - Y) ** 2).mean(axis=0)
    assert MSE.measure(Y_HAT, Y, SCALE) == pytest.approx(by_target.mean(), rel=1e-14)
    assert SCORE.measure(Y_HAT, Y, SCALE) == pytest.approx((by_target / SCALE**2).mean(), rel=1e-14)


def test_the_cost_of_samples_is_what_training_and_the_oracle_mean_by_it() -> None:
    """Of all samples its mean is the oracle's, and K / 2 times the error, as the task says."""
    architecture = Architecture.parse("dense 4 > tanh > dense 3")
    weights = [(RNG.normal(size=(4, 1)), np.ones(4)), (RNG.normal(size=(3, 4)), np.zeros(3))]
    x, y = RNG.normal(size=(9, 1)), RNG.normal(size=(9, 3))
    y_hat = naive.forward(architecture, weights, x)
    mean = HALF_MSE.of_samples(y_hat, y, ()).sum(axis=1).mean()
    assert mean == pytest.approx(naive.half_mse(architecture, weights, x, y).sum(), rel=1e-14)
    assert mean == pytest.approx(3 * MSE.measure(y_hat, y, np.ones(3)) / 2, rel=1e-14)
    assert HALF_MSE.relation == "For K outputs half_mse = K · mse / 2."


def _by_hand(r: np.ndarray, cost: Cost, number: np.ndarray | float) -> np.ndarray:
    """Each cost as its formula says it; the number of the loss may be another one for each target."""
    size = np.abs(r)
    return {
        "half_mse": r**2 / 2,
        "mean_absolute": size,
        "mean_huber": np.where(size <= number, r**2 / 2, number * (size - number / 2)),
        "mean_pinball": np.maximum(-number * r, (1 - number) * r),
    }[cost.name]


@pytest.mark.parametrize("cost", COSTS, ids=lambda cost: cost.name)
def test_the_cost_in_the_users_units_is_that_of_targets_in_these_units(cost: Cost) -> None:
    """Networks record it per output, of standardised targets. A delta of 0.7 deviations is another one of each."""
    names = LOSSES[cost.loss].hypers
    costs = cost.of_samples(Y_HAT, Y, tuple((name, 0.7) for name in names))
    assert costs.tolist() == pytest.approx(_by_hand(Y_HAT - Y, cost, 0.7))
    [in_units] = cost.in_units(costs.mean(axis=0)[np.newaxis], SCALE)
    number = 0.7 * SCALE if "delta" in names else 0.7
    own = _by_hand((SCALE * Y_HAT + 4.0) - (SCALE * Y + 4.0), cost, number).sum(axis=1).mean()
    assert in_units == pytest.approx(own, rel=1e-13)
    assert (np.abs(Y_HAT - Y) > 0.7).any() and (np.abs(Y_HAT - Y) < 0.7).any()


def test_a_table_says_which_costs_it_is_of() -> None:
    table = pd.DataFrame({"error": "mse", "loss": ["huber", None, "huber", "squared"]})
    assert [cost.name for cost in costs_of(table)] == ["mean_huber", "half_mse"]
    assert costs_of(table.iloc[0]) == costs_of(table[:1]) != costs_of(table.iloc[1]) == [HALF_MSE]
    assert costs_of(table[["error"]]) == [HALF_MSE]
    assert [cost_label(part) for part in (table, table[:1])] == ["train cost", "train mean_huber"]


def test_tables_and_people_have_names_of_their_own() -> None:
    assert (MSE.of("test"), MSE.metric("test"), MSE.label("test")) == ("test_error", "test_mse", "test mse")
    assert (MSE.log10, MSE.log10_metric) == ("log10_test_error", "log10_test_mse")
    assert (SCORE.of("train"), SCORE.metric("train")) == ("train_score", "train_score")
    assert (HALF_MSE.metric, HALF_MSE.label) == ("train_half_mse", "train half_mse")


def test_a_table_says_which_task_it_is_of() -> None:
    row = {"error": "mse", "validation_error": 1.0, "test_error": 2.0}
    networks = pd.DataFrame([row])
    assert task_of(networks) is task_of(networks.iloc[0]) is reporting("mse") is TASKS["regression"]
    assert errors_of(networks) == [MSE]
    assert deciding(networks.assign(test_score=1.0)) == SCORE
    assert [error.name for error in REGRESSION.reported(1)] == ["mse"]
    assert [error.name for error in REGRESSION.reported(2)] == ["mse", "score"]


def test_of_equal_networks_the_first_goes_first_and_the_smaller_id_is_best() -> None:
    table = {"sweep": "s", "cell": ["a", "b", "a", "b"], "network_id": ["4", "3", "2", "1"], "error": "mse"}
    networks = pd.DataFrame(table | {"validation_error": [1.0, np.inf, 1.0, np.inf], "test_error": 0.0})
    assert list(best_first(networks)["network_id"]) == ["4", "2", "3", "1"]
    assert list(best_networks(networks)["network_id"]) == ["2", "1"]
    assert best_networks(networks[:0]).empty


@pytest.mark.parametrize(
    ("name", "before", "now"),
    [
        ("runs.parquet", "train_half_mse", "train_cost"),
        ("curves.parquet", "half_mse", "cost"),
        ("networks.parquet", "test_mse", "test_error"),
        ("networks.parquet", "name", "error"),
        ("cells.parquet", "test_mse_median", "test_error_median"),
    ],
)
def test_a_table_with_names_of_before_is_of_another_version(tmp_path: Path, name: str, before: str, now: str) -> None:
    columns = [before if column == now else column for column in store.HELD[name]]
    store.write_table(tmp_path / name, pd.DataFrame({column: [0] for column in columns}))
    with pytest.raises(OldFileError, match=f"found no '{now}', as in a file of another version"):
        store.read_table(tmp_path / name)
