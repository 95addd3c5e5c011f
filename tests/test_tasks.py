"""What a task calls cost and error: the formulas that it says, by names that tables and people have for them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from shoal.kernels.network.architecture import Architecture
from shoal.pipeline import store
from shoal.pipeline.errors import OldFileError
from shoal.pipeline.statistics.errors import best_first, best_networks, deciding, errors_of, task_of
from shoal.pipeline.tasks import TASKS, reporting
from shoal.pipeline.tasks.regression import HALF_MSE, MSE, REGRESSION, SCORE
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
    mean = HALF_MSE.of_samples(y_hat, y).mean()
    assert mean == pytest.approx(naive.half_mse(architecture, weights, x, y).sum(), rel=1e-14)
    assert mean == pytest.approx(3 * MSE.measure(y_hat, y, np.ones(3)) / 2, rel=1e-14)
    assert REGRESSION.relation == "For K outputs half_mse = K · mse / 2."


def test_the_cost_in_the_users_units_is_that_of_targets_in_these_units() -> None:
    """Networks record it per output, of standardised targets."""
    costs = 0.5 * ((Y_HAT - Y) ** 2).mean(axis=0)
    [in_units] = HALF_MSE.in_units(costs[np.newaxis], SCALE)
    assert in_units == pytest.approx(HALF_MSE.of_samples(SCALE * Y_HAT + 4.0, SCALE * Y + 4.0).mean(), rel=1e-14)


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
        ("cells.parquet", "log10_test_mse_median", "log10_test_error_median"),
    ],
)
def test_a_table_with_names_of_before_is_of_another_version(tmp_path: Path, name: str, before: str, now: str) -> None:
    columns = [before if column == now else column for column in store.HELD[name]]
    store.write_table(tmp_path / name, pd.DataFrame({column: [0] for column in columns}))
    with pytest.raises(OldFileError, match=f"found no '{now}', as in a file of another version"):
        store.read_table(tmp_path / name)
