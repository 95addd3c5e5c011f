"""Networks that diverge: they say so, the others go on, and every statistic counts them as infinite."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from shoal.kernels.ensemble import Results
from shoal.pipeline import store
from shoal.pipeline.paths import Paths
from shoal.pipeline.study.outcome import outcome
from shoal.pipeline.tasks.regression import HALF_MSE
from tests import studies

FULL = studies.SIZES | {"activation": "linear", "width": 4, "learning_rate": [0.01, 10.0], "depth": 2, "steps": 40}
MINIBATCH = FULL | {"batch_size": 50, "replicates": 2}
FATAL = FULL | {"learning_rate": 10.0}
TO_NAN = FULL | {"activation": "tanh", "width": 20, "learning_rate": [0.01, 1.0], "steps": 100}
"""In float32, networks of the larger rate end with parameters that are NaN."""


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    sweeps = {"full": FULL, "minibatch": MINIBATCH, "fatal": FATAL}
    return studies.complete(tmp_path_factory.mktemp("study"), sweeps, source="file")


@pytest.mark.parametrize("sweep", ["full", "minibatch"])
def test_a_diverged_network_has_a_step_and_no_error(study: Paths, sweep: str) -> None:
    runs = store.read_table(study.runs(sweep)).set_index("network_id")
    diverged = runs["learning_rate"] == 10.0
    assert list(runs["status"]) == ["diverged" if flag else "ok" for flag in diverged]
    assert list(runs["diverged_step"].notna()) == list(diverged)
    assert list(runs["train_cost"].isna()) == list(diverged)
    assert runs["diverged_step"].dropna().between(1, 40).all()
    curves = store.read_table(study.curves(sweep))
    assert np.isfinite(curves["cost"]).all()
    for key, run in runs[diverged].iterrows():
        steps = curves.loc[curves["network_id"] == key, "step"]
        assert steps.iloc[0] == 0
        assert steps.iloc[-1] < run["diverged_step"]


def test_the_step_is_the_first_after_the_curve(study: Paths) -> None:
    """Full batch records every step, so that nothing lies between the last finite cost and the first that is not."""
    lasts = store.read_table(study.curves("fatal")).groupby("network_id")["step"].max()
    runs = store.read_table(study.runs("fatal")).set_index("network_id")
    assert (runs["diverged_step"] == lasts.loc[runs.index] + 1).all()


def test_the_others_are_what_they_are_alone(study: Paths, tmp_path: Path) -> None:
    alone = {"full": FULL | {"learning_rate": [0.01]}}
    paths = studies.train(studies.write(tmp_path, alone, source="file"), alone)
    weights, expected = store.read_weights(study, "full"), store.read_weights(paths, "full")
    assert len(expected) == 3
    assert all(weights[key].tobytes() == row.tobytes() for key, row in expected.items())


def test_a_diverged_network_counts_as_infinite(study: Paths) -> None:
    networks = store.read_table(study.networks)
    diverged = networks["status"] == "diverged"
    assert diverged.sum() == 3 + 2 + 3
    errors = networks[["train_error", "validation_error", "test_error"]]
    assert np.isposinf(errors[diverged]).all(axis=None)
    assert np.isfinite(errors[~diverged]).all(axis=None)


def test_cells_keep_them(study: Paths) -> None:
    cells = store.read_table(study.cells).set_index(["sweep", "cell"])
    assert list(cells["n_networks"]) == [3, 3, 2, 2, 3]
    assert list(cells["n_diverged"]) == [0, 3, 0, 2, 3]
    assert list(cells["diverged_fraction"]) == [0, 1, 0, 1, 1]
    numbers = cells.filter(regex="_(median|q1|q3|min|max|iqm)$")
    assert np.isposinf(numbers[cells["n_diverged"] > 0]).all(axis=None)
    assert np.isfinite(numbers[cells["n_diverged"] == 0]).all(axis=None)


def test_metrics_are_null_where_infinite(study: Paths) -> None:
    metrics = store.read_json(study.metrics("full"))
    assert (metrics["networks"], metrics["diverged"], metrics["best_cell"]) == (6, 3, "linear-d2-w004-lr0.01")
    finite = sorted(store.read_table(study.networks).query("sweep == 'full' and status == 'ok'")["test_error"])
    q1 = finite[1] + 0.25 * (finite[2] - finite[1])
    assert metrics["all"]["test_mse"] == {"median": None, "q1": pytest.approx(q1, rel=1e-12), "q3": None}
    fatal = store.read_json(study.metrics("fatal"))
    assert fatal["diverged"] == 3
    assert fatal["diverged_fraction"] == 1.0
    ranks = {"median": None, "q1": None, "q3": None}
    names = ("test_mse", "log10_test_mse", "test_score", "log10_test_score")
    assert fatal["all"] == dict.fromkeys(names, ranks)
    interval = {"iqm": None, "iqm_low": None, "iqm_high": None}
    assert fatal["best"] == dict.fromkeys(names, ranks) | {"log10_test_score": ranks | interval}
    assert fatal["best_cell"] is None


def test_the_choice_is_among_the_others(study: Paths) -> None:
    assert store.read_json(study.chosen)["cell"] == "linear-d2-w004-lr0.01"
    table = store.read_table(study.all_cells)
    fatal = table[table["sweep"] == "fatal"]
    assert set(fatal["cell"]) == {"linear-d2-w004"}
    assert fatal["y_hat"].isna().all()
    assert pd.read_csv(study.test_predictions).notna().all(axis=None)


def test_parameters_that_are_nan_stop_no_stage(tmp_path: Path) -> None:
    paths = studies.complete(tmp_path, {"nan": TO_NAN}, "float32")
    runs = store.read_table(paths.runs("nan")).set_index("network_id")
    weights = store.read_weights(paths, "nan")
    lost = [key for key, row in weights.items() if np.isnan(row).any()]
    assert lost
    assert set(runs["status"][lost]) == {"diverged"}
    assert all(len(row) == 20 * 2 + 20 * 21 + 21 for row in weights.values())
    networks = store.read_table(paths.networks).set_index("network_id")
    assert np.isposinf(networks.loc[lost, "test_error"]).all()
    assert runs["learning_rate"][store.read_json(paths.chosen)["network_id"]] == 0.01


def test_a_cost_beyond_float64_in_the_users_units_has_diverged() -> None:
    """Standardised costs may be finite where the same cost in original units is not."""
    costs, none = np.array([[[1.0], [1e300], [2.0]]]), np.full(1, -1)
    results = Results(np.zeros((1, 2)), np.array([0, 5, 9]), costs, np.array([3]), none, none)
    end = outcome(results, HALF_MSE, np.array([1e5]))
    assert (end.diverged_step, end.n_recorded, end.cost[0, 0], end.status) == (5, 1, 1e10, "diverged")
    assert outcome(results, HALF_MSE, np.ones(1)).diverged_step == -1
