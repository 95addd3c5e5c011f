"""Other people's tables through the whole pipeline: many features, several targets, few rows, original units."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_diabetes, load_linnerud

from shoal.pipeline import store
from shoal.pipeline.paths import Paths
from shoal.pipeline.stages import gradcheck
from tests import studies

SWEEP = {
    "activation": ["relu", "tanh"],
    "depth": 1,
    "width": [3, 5, 8],
    "learning_rate": 0.05,
    "steps": 300,
    "replicates": 2,
}
TABLES = {"diabetes": (load_diabetes, {"scaled": False}), "linnerud": (load_linnerud, {})}


@pytest.fixture(scope="module", params=TABLES)
def study(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Paths:
    load, options = TABLES[request.param]
    bunch = load(as_frame=True, **options)
    root = tmp_path_factory.mktemp(request.param)
    bunch.frame.to_csv(root / "own.csv", index=False)
    targets = pd.DataFrame(bunch.target).columns.tolist()
    paths = studies.complete(root, {"own": SWEEP}, source="file", path="own.csv", targets=targets)
    gradcheck.run(paths)
    return paths


def tables(study: Paths) -> tuple[list[str], list[str], pd.DataFrame, pd.DataFrame]:
    """Names of features and targets, the training rows, and the predicted test rows."""
    names = store.read_json(study.data / "data.json")
    train, test = pd.read_parquet(study.data / "train.parquet"), pd.read_csv(study.test_predictions)
    return names["feature_names"], names["target_names"], train, test


def test_six_cells(study: Paths) -> None:
    cells = store.read_table(study.cells)
    assert len(cells) == 6
    assert list(cells["n_networks"]) == [2] * 6
    assert list(cells["n_diverged"]) == [0] * 6
    assert len(store.read_table(study.runs("own"))) == 12


def test_predictions_are_the_chosen_networks_outputs_in_original_units(study: Paths) -> None:
    features, targets, train, test = tables(study)
    chosen = store.load_network(study, ["own"], store.read_json(study.chosen)["network_id"])
    x = (test[features] - train[features].mean()) / train[features].std(ddof=0)
    z = studies.forward(str(chosen.architecture), chosen.params, x.to_numpy())
    expected = z * train[targets].std(ddof=0).to_numpy() + train[targets].mean().to_numpy()
    np.testing.assert_allclose(test[[f"{name}_predicted" for name in targets]], expected, rtol=1e-9)


def test_reported_error_is_that_of_the_predictions(study: Paths) -> None:
    _, targets, _, test = tables(study)
    residuals = test[[f"{name}_predicted" for name in targets]].to_numpy() - test[targets].to_numpy()
    networks = store.read_table(study.networks).set_index("network_id")
    reported = networks.loc[store.read_json(study.chosen)["network_id"], "test_error"]
    assert reported == pytest.approx(np.mean(residuals**2), rel=1e-12)


def test_predictions_are_worth_having(study: Paths) -> None:
    """Diabetes: closer than the training mean. Linnerud has 4 test rows: of the right size."""
    _, targets, train, test = tables(study)
    y, y_hat = test[targets].to_numpy(), test[[f"{name}_predicted" for name in targets]].to_numpy()
    mean, scale = train[targets].mean().to_numpy(), train[targets].std(ddof=0).to_numpy()
    if len(targets) == 1:
        assert np.mean((y_hat - y) ** 2) < 0.8 * np.mean((mean - y) ** 2)
        assert np.corrcoef(y.ravel(), y_hat.ravel())[0, 1] > 0.4
    else:
        assert len(targets) == 3
        assert (np.abs(y_hat - mean) < 6 * scale).all()
