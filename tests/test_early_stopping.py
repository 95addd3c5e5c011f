"""Losses and early stopping all the way: residual networks with dropout, by AdamW on Huber's loss, on a table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from shoal.kernels.ensemble import recorded_steps
from shoal.kernels.training.stopping import validation_steps
from shoal.pipeline import data, store
from shoal.pipeline.paths import Paths
from shoal.pipeline.provenance.made_from import sweep as made_from
from shoal.pipeline.tracking.records import Records
from shoal.pipeline.tracking.runs import track
from shoal.pipeline.tracking.state import read_states
from tests import studies
from tests.made_up import copy_store, runs_of

pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:DeprecationWarning")
DELTA = 0.3
BLOCK = {"architecture": {"residual": "dense 8 > tanh > (skip | dense 8 > tanh) > dropout 0.1"}, "optimizer": "adamw"}
BLOCK |= {"learning_rate": 0.05, "loss": "huber", "delta": DELTA, "replicates": 3}
SWEEPS = {
    "early": BLOCK | {"batch_size": 32, "epochs": 30, "patience": [1, 8]},
    "kept": BLOCK | {"loss": ["squared", "huber"], "steps": 25, "keep": ["last", "best"], "validate_every": 4},
}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory, blank: Path) -> Paths:
    root = tmp_path_factory.mktemp("early")
    copy_store(blank, root / "mlflow.db")
    paths = studies.complete(root, SWEEPS, source="file")
    studies.without_gradcheck(paths)
    studies.report_undrawn(paths)
    return paths


def test_columns_are_there_where_networks_use_them(study: Paths) -> None:
    early, kept = (store.read_table(study.runs(name)) for name in SWEEPS)
    of_adamw = ["weight_decay", "epsilon", "beta_1", "beta_2"]
    assert list(early)[len(store.RUN_COLUMNS) :] == [
        "loss", "delta", "keep", "patience", *of_adamw, "stopped_step", "best_step",
    ]  # fmt: skip
    assert list(kept)[len(store.RUN_COLUMNS) :] == ["loss", "delta", "keep", "validate_every", *of_adamw, "best_step"]
    curves = [list(store.read_table(study.curves(name))) for name in SWEEPS]
    assert curves == 2 * [["network_id", "step", "cost", "validation_cost"]]
    assert early["keep"].eq("best").all() and early["delta"].eq(DELTA).all()
    assert kept["delta"].isna().tolist() == kept["loss"].eq("squared").tolist()
    assert kept["best_step"].isna().tolist() == kept["keep"].eq("last").tolist()


def test_networks_that_stopped_are_networks_like_others(study: Paths) -> None:
    runs = store.read_table(study.runs("early")).set_index("network_id")
    stopped = runs["status"] == "stopped"
    assert stopped.any() and set(runs["status"]) <= {"ok", "stopped"}
    assert runs["stopped_step"].notna().tolist() == stopped.tolist()
    assert runs["train_cost"].notna().all()
    networks = store.read_table(study.networks)
    assert np.isfinite(networks["test_error"].astype(float)).all() and "stopped" in set(networks["status"])
    assert (store.read_table(study.cells)["n_diverged"] == 0).all()
    assert store.read_table(study.all_cells)["y_hat"].notna().all()
    for key, run in runs.iterrows():
        curve = store.read_table(study.curves("early")).set_index("network_id").loc[key]
        last = run["stopped_step"] if run["status"] == "stopped" else run["steps"]
        validated = validation_steps(run["steps"], 32, 180, 10)
        assert curve.loc[curve["validation_cost"].notna(), "step"].tolist() == [s for s in validated if s <= last]
        own = recorded_steps(run["steps"], 32)
        assert curve.loc[curve["cost"].notna(), "step"].tolist() == own[own <= last].tolist()


def huber(study: Paths, network_id: str, split: str, sweep: str, of: float | None = DELTA) -> float:
    """Huber's cost (half the squared error for None) in the targets' own units, delta times the scale of each."""
    dataset = data.load(study)
    samples = getattr(dataset, split)
    predictor = store.load_predictor(study, [{"sweep": sweep, "network_id": network_id}])
    residuals = np.abs(predictor.predict(samples.x) - samples.y)
    limits = np.inf if of is None else of * dataset.y_scaling.scale
    inner = np.minimum(residuals, limits)
    return float((inner * (residuals - inner / 2)).sum(axis=1).mean())


@pytest.mark.parametrize("sweep", ["early", "kept"])
def test_the_costs_of_what_is_kept_are_those_of_its_predictions(study: Paths, sweep: str) -> None:
    """In the user's units: over the training rows, and over the validation rows at the step that is kept."""
    runs = store.read_table(study.runs(sweep))
    curves = store.read_table(study.curves(sweep)).set_index(["network_id", "step"])["validation_cost"]
    best = runs[runs["keep"] == "best"]
    for run in best.itertuples():
        of = DELTA if run.loss == "huber" else None
        assert run.train_cost == pytest.approx(huber(study, run.network_id, "train", sweep, of), rel=1e-9)
        validated = huber(study, run.network_id, "validation", sweep, of)
        assert curves[run.network_id, run.best_step] == pytest.approx(validated, rel=1e-9)
    assert (best["best_step"] > 0).all() and best["best_step"].nunique() > 1


def test_the_report_names_the_cost_and_shows_both_curves(study: Paths) -> None:
    page = study.report.read_text(encoding="utf-8")
    assert "trained by AdamW on mean_huber" in page and "trained by AdamW on half_mse or mean_huber" in page
    assert "networks were stopped early, between steps" in page or "networks were stopped early, at step" in page
    assert "train mean_huber (solid) and the same cost over the validation split (dashed)" in page
    assert "Different costs cannot be compared with each other" in page


def test_mlflow_has_the_validation_curve_under_the_name_of_the_cost(study: Paths) -> None:
    track(study, ["early"], None, "network")
    runs = store.read_table(study.runs("early")).set_index("network_id")
    for run in runs_of(study, "early"):
        if run.data.tags["shoal.kind"] == "sweep":
            continue
        assert {"mean_huber", "validation_mean_huber", "train_mean_huber"} <= set(run.data.metrics)
        assert (run.data.params["loss"], run.data.params["delta"]) == ("huber", str(DELTA))
        if "shoal.network" in run.data.tags:
            row = runs.loc[run.data.tags["shoal.network"]]
            assert run.data.metrics["best_step"] == row["best_step"]
            assert run.data.metrics["train_mean_huber"] == row["train_cost"]
            assert ("stopped_step" in run.data.metrics) == (row["status"] == "stopped")


def test_each_cell_has_the_metrics_of_its_own_loss(study: Paths) -> None:
    [state] = read_states(study, ["kept"], "cell")
    records = Records(study, state)
    for cell in state.cells:
        record, name = records.of(state.cell_key(cell["cell"])), {"squared": "half_mse"}.get(cell["loss"], "mean_huber")
        assert record.metrics[f"train_{name}"] == cell["train_cost_median"]
        names = {name for name in record.curves if not name.endswith(("_q1", "_q3")) and record.curves[name]}
        assert names == {name, f"validation_{name}"} if cell["keep"] == "best" else {name}


def test_validation_rows_are_what_a_sweep_is_made_from(study: Paths) -> None:
    assert {"data/train.parquet", "data/validation.parquet"} <= made_from(study, "early").inputs.keys()
