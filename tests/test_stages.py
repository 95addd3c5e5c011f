"""The stages from data to predict: what their files hold and that the numbers are what they are called."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from shoal.pipeline import data as datasets
from shoal.pipeline import store
from shoal.pipeline.data import Dataset
from shoal.pipeline.paths import Paths
from shoal.pipeline.stages import evaluate, predict
from shoal.pipeline.statistics.errors import deciding
from tests import studies

RUNS = (
    "network_id sweep cell architecture activation depth width hidden_sizes n_features n_outputs optimizer "
    "learning_rate batch_size steps alpha replicate dtype status diverged_step train_cost"
)
OF_ADAM = "epsilon beta_1 beta_2"
NETWORKS = "network_id sweep cell replicate status error train_error validation_error test_error"
CELLS = (
    "sweep cell architecture activation depth width hidden_sizes optimizer learning_rate batch_size steps alpha dtype "
    f"{OF_ADAM} error n_networks n_diverged diverged_fraction"
)
INTERVAL = "log10_test_error_iqm log10_test_error_iqm_low log10_test_error_iqm_high"
CONTRASTS = "sweep axis a b level_a level_b n_pairs a_smaller b_smaller log10_ratio p p_holm p_smallest verdict"
SUMMARISED = "train_error validation_error test_error log10_test_error train_cost"
N_CELLS = {"sizes": 8, "ridge": 2, "batch": 4, "rates": 4, "branches": 2}
REPLICATES = {"sizes": 3, "ridge": 2, "batch": 1, "rates": 2, "branches": 2}


@pytest.fixture(scope="module", params=["function", "file"])
def study(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Paths:
    """A study of one feature and one target in their own units, and one of two and two, standardised."""
    return studies.complete(tmp_path_factory.mktemp(request.param), source=request.param)


@pytest.fixture
def dataset(study: Paths) -> Dataset:
    return datasets.load(study)


def all_runs(study: Paths) -> pd.DataFrame:
    return store.read_runs(study, list(studies.SWEEPS))


def curve(study: Paths, sweep_name: str, network_id: str) -> pd.DataFrame:
    curves = store.read_table(study.curves(sweep_name))
    return curves[curves["network_id"] == network_id]


# ---- what the files hold


def test_columns(study: Paths, dataset: Dataset) -> None:
    for name in studies.SWEEPS:
        own = OF_ADAM if name == "batch" else ""
        assert list(store.read_table(study.runs(name))) == f"{RUNS} {own}".split()
        assert list(store.read_table(study.curves(name))) == ["network_id", "step", "cost"]
        assert list(store.read_table(study.weights(name))) == ["network_id", "params"]
    networks, summarised, interval = NETWORKS, SUMMARISED, INTERVAL
    if dataset.n_outputs > 1:
        networks += " train_score validation_score test_score test_error_range_m test_error_height_m"
        summarised += " train_score validation_score test_score log10_test_score"
        interval = INTERVAL.replace("error", "score")
    numbers = [f"{name}_{rank}" for name in summarised.split() for rank in ("median", "q1", "q3", "min", "max")]
    assert list(store.read_table(study.networks)) == networks.split()
    assert list(store.read_table(study.cells)) == [*CELLS.split(), *numbers, *interval.split()]
    assert list(store.read_table(study.contrasts)) == CONTRASTS.split()
    predicted = [f"{name}_predicted" for name in dataset.target_names]
    columns = ["row", *dataset.feature_names, *dataset.target_names, *predicted]
    assert list(pd.read_csv(study.test_predictions)) == columns


def test_one_row_a_network_in_the_order_of_the_grid(study: Paths) -> None:
    runs = all_runs(study)
    assert runs["network_id"].is_unique
    assert runs["network_id"].str.fullmatch("[0-9a-f]{16}").all()
    for name, block in runs.groupby("sweep"):
        assert block["cell"].nunique() == N_CELLS[str(name)]
        assert list(block["replicate"]) == list(range(REPLICATES[str(name)])) * N_CELLS[str(name)]
    for table in (store.read_table(study.networks), *map(store.read_table, [study.weights(n) for n in N_CELLS])):
        assert table["network_id"].isin(runs["network_id"]).all()
    assert list(store.read_table(study.networks)["network_id"]) == list(runs["network_id"])


def test_what_does_not_apply_is_null_and_nothing_else(study: Paths) -> None:
    runs = all_runs(study)
    ridge, named, full = runs["optimizer"] == "ridge", runs["sweep"] == "branches", runs["cell"].str.contains("bfull")
    null = {
        "learning_rate": ridge,
        "steps": ridge,
        "batch_size": (runs["sweep"] != "batch") | full,
        "alpha": ~ridge,
        "width": named | runs["hidden_sizes"].eq("4-3").fillna(False),
        "diverged_step": runs["status"] == "ok",
        **dict.fromkeys(("activation", "depth", "hidden_sizes"), named),
    }
    null |= dict.fromkeys(OF_ADAM.split(), runs["sweep"] != "batch")
    for column in runs:
        expected = null[column] if column in null else [False] * len(runs)
        assert list(runs[column].isna()) == list(expected), column
    assert (runs["status"] == "ok").all()


def test_descriptions(study: Paths, dataset: Dataset) -> None:
    runs = {(row["sweep"], row["cell"], row["replicate"]): row for _, row in all_runs(study).iterrows()}
    row, scalar = runs["sizes", "tanh-d2-w003", 1], runs["branches", "scalar", 0]
    k = dataset.n_outputs
    assert row["architecture"] == f"dense 3 > tanh > dense 3 > tanh > dense {k}"
    assert (row["activation"], row["depth"], row["width"], row["hidden_sizes"]) == ("tanh", 2, 3, "3-3")
    assert (row["learning_rate"], row["steps"], row["dtype"]) == (0.05, 20, "float64")
    assert (row["n_features"], row["n_outputs"]) == (dataset.n_features, k)
    assert scalar["architecture"] == f"(dense 1 | relu > dense 1) > dense {k}"
    assert scalar["steps"] == 20, "20 epochs of full batch"


# ---- definitions of the errors


def test_half_mse_is_half_of_mse_times_outputs(study: Paths, dataset: Dataset) -> None:
    half_mse = all_runs(study)["train_cost"].to_numpy(np.float64)
    mse = store.read_table(study.networks)["train_error"].to_numpy()
    np.testing.assert_allclose(half_mse, dataset.n_outputs * mse / 2, rtol=1e-10)


def test_error_is_that_of_the_stored_weights_in_original_units(study: Paths) -> None:
    """Everything again in NumPy from the Parquet files: standardisation by the training rows, network, error."""
    splits = {name: pd.read_parquet(study.data / f"{name}.parquet") for name in ("train", "validation", "test")}
    n_targets = splits["train"].shape[1] // 2
    train = splits["train"].to_numpy()
    mean, scale = (train.mean(axis=0), train.std(axis=0)) if n_targets == 2 else (np.zeros(2), np.ones(2))
    networks = store.read_table(study.networks).set_index("network_id")
    runs = all_runs(study)
    for _, run in runs[runs["sweep"] != "branches"].iterrows():
        params = store.read_weights(study, run["sweep"])[run["network_id"]]
        for name, table in splits.items():
            x, y = np.split(table.to_numpy(), 2, axis=1)
            z = studies.forward(run["architecture"], params, (x - mean[:n_targets]) / scale[:n_targets])
            mse = ((z * scale[n_targets:] + mean[n_targets:] - y) ** 2).mean()
            assert networks.loc[run["network_id"], f"{name}_error"] == pytest.approx(mse, rel=1e-9)


def test_the_curve_ends_with_the_train_half_mse(study: Paths) -> None:
    for name in studies.SWEEPS:
        runs = store.read_table(study.runs(name)).set_index("network_id")
        ends = store.read_table(study.curves(name)).groupby("network_id").last()
        trained = runs[runs["optimizer"] != "ridge"]
        assert set(ends.index) == set(trained.index)
        assert list(ends.loc[trained.index, "cost"]) == list(trained["train_cost"])
        assert list(ends.loc[trained.index, "step"]) == list(trained["steps"])


def test_training_helped(study: Paths) -> None:
    first = store.read_table(study.curves("sizes")).groupby("network_id").first()
    runs = store.read_table(study.runs("sizes")).set_index("network_id")
    assert (runs["train_cost"] < first.loc[runs.index, "cost"]).all()


def test_steps_of_curves(study: Paths) -> None:
    for _, run in store.read_table(study.runs("batch")).iterrows():
        steps = curve(study, "batch", run["network_id"])["step"].to_numpy()
        assert steps[0] == 0
        assert steps[-1] == 1000
        assert (np.diff(steps) > 0).all()
        if pd.isna(run["batch_size"]):
            assert len(steps) == 1001
        else:
            assert 35 <= len(steps) <= 51
            assert np.diff(steps).max() <= 200


def test_cells_that_differ_only_in_steps_are_one_run_read_off_twice(study: Paths) -> None:
    runs = store.read_table(study.runs("rates"))
    weights = store.read_weights(study, "rates")
    for _, pair in runs.groupby(["learning_rate", "replicate"]):
        short, long = pair.sort_values("steps")["network_id"]
        early, whole = (curve(study, "rates", key)["cost"].to_numpy() for key in (short, long))
        assert (len(early), len(whole)) == (6, 21)
        assert early.tobytes() == whole[:6].tobytes()
        assert (weights[short] != weights[long]).any()


# ---- evaluate and predict


def test_metrics_summarise_the_networks_of_a_sweep(study: Paths) -> None:
    networks = store.read_table(study.networks)
    error = deciding(networks)
    for name in studies.SWEEPS:
        metrics = store.read_json(study.metrics(name))
        block = networks[networks["sweep"] == name]
        best = block.groupby("cell")[error.of("validation")].median().idxmin()
        assert metrics["best_cell"] == best
        assert (metrics["networks"], metrics["diverged"]) == (len(block), 0)
        for key, part in (("all", block), ("best", block[block["cell"] == best])):
            columns = {"test_mse": "test_error", error.metric("test"): error.of("test")}
            for number, column in columns.items():
                quartiles = dict(zip(("q1", "median", "q3"), np.quantile(part[column], (0.25, 0.5, 0.75)), strict=True))
                assert {rank: metrics[key][number][rank] for rank in quartiles} == quartiles
                logarithm = np.quantile(np.log10(part[column]), 0.25)
                assert metrics[key][f"log10_{number}"]["q1"] == pytest.approx(logarithm, rel=1e-14)
        found = set(metrics["best"][error.log10_metric]) - set(metrics["all"][error.log10_metric])
        assert found == {"iqm", "iqm_low", "iqm_high"}


def test_the_smallest_validation_error_is_chosen(study: Paths) -> None:
    networks = store.read_table(study.networks)
    error = deciding(networks)
    best = networks.iloc[int(networks[error.of("validation")].argmin())]
    chosen = store.read_json(study.chosen)
    splits = ("validation", "test")
    for key in ("network_id", "sweep", "cell", "replicate"):
        assert chosen[key] == best[key]
    for split in splits:
        assert chosen[f"{split}_mse"] == best[f"{split}_error"]
        assert chosen[error.metric(split)] == best[error.of(split)]
    assert chosen["candidates"] == len(networks)
    assert chosen["why"].startswith(f"smallest {error.label('validation')} of all ")
    assert f"{len(networks)} networks in {sum(N_CELLS.values())} cells" in chosen["why"]


def test_the_test_split_has_no_say(tmp_path: Path) -> None:
    """Neither in the network that is chosen nor in the cell that the metrics call best."""
    paths = studies.complete(tmp_path, {"sizes": studies.SIZES})
    chosen = store.read_json(paths.chosen)["network_id"]
    networks = store.read_table(paths.networks)
    networks["test_error"] = 1 / networks["validation_error"]
    store.write_table(paths.networks, networks)
    predict.run(paths)
    assert store.read_json(paths.chosen)["network_id"] == chosen
    best = store.read_json(paths.metrics("sizes"))["best_cell"]
    x, y = pd.read_parquet(paths.data / "test.parquet").to_numpy().T
    pd.DataFrame({"x": x, "y": -y}).to_parquet(paths.data / "test.parquet")
    evaluate.run(paths)
    medians = store.read_table(paths.networks).groupby("cell")["test_error"].median()
    assert store.read_json(paths.metrics("sizes"))["best_cell"] == best != medians.idxmin()


def test_test_predictions_are_those_of_the_chosen_network(study: Paths, dataset: Dataset) -> None:
    table = pd.read_csv(study.test_predictions)
    np.testing.assert_array_equal(table[list(dataset.feature_names)], dataset.test.x)
    np.testing.assert_array_equal(table[list(dataset.target_names)], dataset.test.y)
    y_hat = table[[f"{name}_predicted" for name in dataset.target_names]].to_numpy()
    mse = float(np.mean((y_hat - dataset.test.y) ** 2))
    assert mse == pytest.approx(store.read_json(study.chosen)["test_mse"], rel=1e-12)


def test_all_cells_holds_the_best_replicate_of_each_cell(study: Paths, dataset: Dataset) -> None:
    table = store.read_table(study.all_cells)
    networks = store.read_table(study.networks)
    best = networks.loc[networks.groupby(["sweep", "cell"], sort=False)[deciding(networks).of("validation")].idxmin()]
    assert list(table["network_id"].drop_duplicates()) == list(best["network_id"])
    assert len(table) == sum(N_CELLS.values()) * dataset.test.y.size
    for _, row in best.iterrows():
        part = table[table["network_id"] == row["network_id"]]
        y_hat = part["y_hat"].to_numpy().reshape(dataset.test.y.shape)
        assert float(np.mean((y_hat - dataset.test.y) ** 2)) == pytest.approx(row["test_error"], rel=1e-12)
        assert list(part["y"]) == list(dataset.test.y.ravel())
        assert list(part["target"].unique()) == list(dataset.target_names)
        assert list(part["sample"].unique()) == list(range(len(dataset.test.x)))
        assert set(part["replicate"]) == {row["replicate"]}


def test_a_removed_sweep_leaves_nothing(tmp_path: Path) -> None:
    sweeps = {"sizes": studies.SIZES, "ridge": studies.RIDGE}
    paths = studies.complete(tmp_path, sweeps)
    networks, cells = store.read_table(paths.networks), store.read_table(paths.cells)
    studies.write(tmp_path, {"sizes": studies.SIZES})
    evaluate.run(paths)
    predict.run(paths)
    for before, path in ((networks, paths.networks), (cells, paths.cells)):
        pd.testing.assert_frame_equal(store.read_table(path), before[before["sweep"] == "sizes"].reset_index(drop=True))
    assert set(store.read_table(paths.all_cells)["sweep"]) == {"sizes"}
    assert [folder.name for folder in (tmp_path / "results").iterdir()] == ["sizes"]


# ---- float32


def test_float32_is_close_to_float64_and_has_ids_of_its_own(tmp_path: Path) -> None:
    tables = {}
    for dtype in ("float64", "float32"):
        (tmp_path / dtype).mkdir()
        paths = studies.complete(tmp_path / dtype, {"sizes": studies.SIZES}, dtype, source="file")
        tables[dtype] = store.read_table(paths.runs("sizes")), store.read_table(paths.networks)
        assert {a.dtype.name for a in store.read_weights(paths, "sizes").values()} == {dtype}
    (runs64, networks64), (runs32, networks32) = tables.values()
    assert set(runs32["dtype"]) == {"float32"}
    assert not set(runs32["network_id"]) & set(runs64["network_id"])
    np.testing.assert_allclose(networks32["test_error"], networks64["test_error"], rtol=1e-4)
    assert (networks32["test_error"] != networks64["test_error"]).all()
