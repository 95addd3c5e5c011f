"""The MLflow store shows the result files, and nothing infinite is in it."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import mlflow
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shoal.kernels.compile.sources import source_hash
from shoal.pipeline import statistics, store
from shoal.pipeline.paths import Paths
from shoal.pipeline.tracking import destination, is_tracked, track
from shoal.pipeline.tracking import state as states
from shoal.pipeline.tracking.tags import Provenances
from shoal.pipeline.tracking.thinned import Curves
from tests import studies
from tests.made_up import (
    DIVERGING,
    SMALL,
    STEPS,
    assert_whole,
    client_of,
    parent_of,
    runs_of,
    write_results,
)

pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:DeprecationWarning")


def test_what_a_store_shows(root: Path) -> None:
    """Names, parameters, metrics and curve of a cell are those of the files; infinity is NaN and a tag."""
    paths = write_results(root, {"sizes": DIVERGING, "ridge": {"tanh-d1-w005": 0}})
    seen: list[tuple[int, int]] = []
    receipt = track(paths, ["sizes", "ridge"], lambda done, total: seen.append((done, total)))
    assert seen == [(n, 6) for n in range(1, 7)]
    client = client_of(paths)
    named = {run.info.run_name: run for run in runs_of(paths, "sizes")}
    state = receipt["sweeps"]["sizes"]["state"]
    assert set(named) == {*DIVERGING, f"sizes {state[:6]}"}

    run = named["relu-d1-w005"]
    assert run.data.params == {
        "architecture": "dense 5 > relu > dense 1", "activation": "relu", "depth": "1", "width": "5",
        "hidden_sizes": "5", "optimizer": "gd", "learning_rate": "0.02", "batch_size": "full", "steps": str(STEPS),
        "dtype": "float64", "n_networks": "3",
    }  # fmt: skip
    row = store.read_table(paths.cells).set_index(["sweep", "cell"]).loc[("sizes", "relu-d1-w005")]
    assert run.data.metrics["test_mse"] == row["test_error_median"] == pytest.approx(1.2)
    assert run.data.metrics["log10_test_mse_q1"] == row["log10_test_error_q1"]
    assert run.data.metrics["validation_mse"] == row["validation_error_median"]
    assert run.data.metrics["train_half_mse"] == row["train_cost_median"]
    assert run.data.metrics["diverged_fraction"] == pytest.approx(1 / 3)
    assert np.isnan(run.data.metrics["test_mse_q3"])
    assert run.data.tags["shoal.not_finite"] == "test_mse_q3, log10_test_mse_q3, validation_mse_q3, train_half_mse_q3"
    assert run.data.tags["shoal.data"] == "0123"
    assert "dense 5 > relu > dense 1" in run.data.tags["mlflow.note.content"]
    assert np.isnan(named["linear-d1-w005"].data.metrics["log10_test_mse"])

    curve = {point.step: point.value for point in client.get_metric_history(run.info.run_id, "half_mse")}
    assert {0, STEPS} <= set(curve) and 30 <= len(curve) <= 50
    assert curve[STEPS] == pytest.approx(0.2) and curve[0] == pytest.approx(STEPS + 0.2)
    short = client.get_metric_history(named["tanh-d1-w005"].info.run_id, "half_mse")
    assert [point.step for point in short] == list(range(8))  # two of three diverged: no median from then on

    (ridge,) = (run for run in runs_of(paths, "ridge") if run.data.tags["shoal.kind"] == "cell")
    assert ridge.data.params["alpha"] == "0.1"
    assert not {"learning_rate", "batch_size", "steps"} & set(ridge.data.params)
    assert "half_mse" not in ridge.data.metrics and "shoal.not_finite" not in ridge.data.tags
    with closing(sqlite3.connect(paths.mlflow_database)) as database:
        ((largest,),) = database.execute("SELECT max(abs(value)) FROM metrics")
    assert largest <= STEPS + 1


def test_a_large_sweep_has_runs_of_its_best_cells(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = write_results(root, {"sizes": SMALL})
    best = store.read_table(paths.cells).sort_values("validation_error_median")["cell"].iloc[0]
    monkeypatch.setattr(states, "MOST_RUNS", 1)
    [found] = states.read_states(paths, ["sizes"], "cell")
    assert found.keys == [found.key, found.cell_key(best)] == [found.key, *found.keys_to_write]
    assert "Runs below this one: the 1 cells" in found.note


def test_adam_has_the_keys_and_the_curve_of_gradient_descent(root: Path) -> None:
    paths = write_results(root, {"adam": SMALL, "sizes": SMALL})
    assert_whole(paths, ["adam", "sizes"], track(paths, ["adam", "sizes"]))
    [adam], [descent] = (
        [run.data for run in runs_of(paths, sweep) if run.info.run_name == next(iter(SMALL))]
        for sweep in ("adam", "sizes")
    )
    assert adam.params == descent.params | {"optimizer": "adam"}
    assert adam.params["batch_size"] == "full"
    of_the_sweep = {"sweep_seconds", "sweep_gflop_per_second"}  # the log of `sizes` alone is there
    assert adam.metrics == {name: value for name, value in descent.metrics.items() if name not in of_the_sweep}


def test_files_of_a_sweep_hang_at_its_run(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They lie below the project whatever the working folder, and follow the files while the results stay."""
    paths = write_results(root, {"sizes": SMALL})
    monkeypatch.chdir(root)
    track(Paths(), ["sizes"])
    parent = parent_of(paths, "sizes")
    assert "2 cells, 6 networks, 0 diverged" in parent.data.tags["mlflow.note.content"]
    folder = paths.mlflow_artifacts / "sizes" / parent.info.run_id / "artifacts"
    figure = paths.figures / "sizes" / "test_mse.svg"
    assert (folder / "figures" / "test_mse.svg").read_bytes() == figure.read_bytes()
    assert pd.read_csv(folder / "cells.csv")["cell"].tolist() == list(SMALL)

    figure.write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    assert not is_tracked(paths, ["sizes"])
    track(paths, ["sizes"])
    assert is_tracked(paths, ["sizes"])
    assert parent_of(paths, "sizes").info.run_id == parent.info.run_id
    assert (folder / "figures" / "test_mse.svg").read_bytes() == figure.read_bytes()


def written(table: pd.DataFrame) -> store.LearningCurves:
    with TemporaryDirectory() as folder:
        store.write_table(Path(folder, "curves.parquet"), table.astype({"network_id": "string"}))
        return store.LearningCurves(Path(folder, "curves.parquet"))


@given(
    diverged_at=st.lists(st.none() | st.integers(0, 300), min_size=1, max_size=5),
    steps=st.lists(st.integers(0, 10_000), min_size=1, max_size=300, unique=True).map(sorted),
)
def test_median_curve(diverged_at: list[int | None], steps: list[int]) -> None:
    """About 50 steps, first and last among them, each with the median over all networks, while that is finite."""
    ends = [len(steps) if end is None else end for end in diverged_at]
    rows = [(str(n), step, step + n) for n, end in enumerate(ends) for step in steps[:end]]
    curves = Curves(written(pd.DataFrame(rows, columns=["network_id", "step", "cost"]).sample(frac=1, random_state=0)))
    band = curves.band([str(n) for n in range(len(ends))], "half_mse")
    curve = band["half_mse"]
    medians = {
        step: np.median([step + n if i < end else np.inf for n, end in enumerate(ends)]) for i, step in enumerate(steps)
    }
    finite = [step for step in steps if np.isfinite(medians[step])]
    assert all(value == medians[step] for step, value in curve)
    assert len(curve) <= 50
    assert not finite or curve[0][0] == finite[0]
    if len(finite) == len(steps) or len(finite) <= 1:
        assert [step for step, _ in curve][-1:] == finite[-1:]


@given(ends=st.lists(st.integers(0, 40), min_size=1, max_size=9))
def test_band_follows_the_rule_of_the_statistics(ends: list[int]) -> None:
    """Quartiles at every step are those of statistics.quantile, infinite ones left out."""
    rows = [(str(n), step, step * n + 1.0) for n, end in enumerate(ends) for step in range(end)]
    table = written(pd.DataFrame(rows, columns=["network_id", "step", "cost"]))
    band = Curves(table).band([str(n) for n in range(len(ends))], "half_mse")
    for name, q in (("half_mse", 0.5), ("half_mse_q1", 0.25), ("half_mse_q3", 0.75)):
        for step in range(max(ends)):
            values = np.array([step * n + 1.0 if step < end else np.inf for n, end in enumerate(ends)])
            expected = statistics.quantile(values, q)
            assert dict(band[name]).get(step, np.inf) == pytest.approx(expected)


def test_what_stopped_early_keeps_its_last_cost_and_what_diverged_counts_as_infinite() -> None:
    rows = [("long", step, 1.0) for step in range(9)] + [("stopped", step, 5.0 - step) for step in range(4)]
    rows += [("diverged", 0, 3.0), ("long", 9, np.nan)]
    table = written(pd.DataFrame(rows, columns=["network_id", "step", "cost"]))
    band = Curves(table, stopped=["stopped"]).band(["long", "stopped", "diverged"], "cost")
    assert band["cost"] == [(0, 3.0), (1, 4.0), (2, 3.0), *((step, 2.0) for step in range(3, 9))]
    assert Curves(table, stopped=["stopped"]).single("stopped", "own")["own"][-1] == (3, 2.0)


def test_where_results_come_from(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every run says with what, from what and how fast; the log of another training is no witness."""
    monkeypatch.setenv("DVC_STAGE", "track")
    monkeypatch.setenv("DVC_EXP_NAME", "brave-fish")
    paths = write_results(root, {"sizes": SMALL, "ridge": SMALL})
    for command in (("init", "--quiet"), ("commit", "--quiet", "--allow-empty", "--message", "one")):
        identity = ("-c", "user.name=a", "-c", "user.email=a@b")
        subprocess.run(["git", *identity, *command], cwd=root, check=True)
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=root, check=True, capture_output=True, text=True).stdout
    log = store.read_json(paths.log("sweep-sizes"))
    store.write_json(paths.log("sweep-ridge"), log | {"results": "of other weights"})
    track(paths, ["sizes", "ridge"])
    for run in runs_of(paths, "sizes"):
        tags = run.data.tags
        assert tags["mlflow.source.git.commit"] == commit.strip()
        assert (tags["shoal.dvc_stage"], tags["shoal.dvc_experiment"]) == ("track", "brave-fish")
        assert tags["shoal.kernels"] == source_hash()[:16]
        assert (tags["shoal.threads"], tags["shoal.instruction_set"]) == ("3", "avx2")
        assert (tags["shoal.libraries"], tags["shoal.dtype"]) == ("numpy 2.0", "float64")
        assert (run.data.metrics["sweep_seconds"], run.data.metrics["sweep_gflop_per_second"]) == (2.5, 40)
        [data] = run.inputs.dataset_inputs
        assert data.dataset.digest == tags["shoal.data"] == "0123"
        assert json.loads(data.dataset.profile) == {"num_rows": 8, "num_elements": 16}
        assert [column["name"] for column in json.loads(data.dataset.schema)["mlflow_colspec"]] == ["x", "y"]
        assert data.tags[0].value == "training"
    for run in runs_of(paths, "ridge"):
        assert not {"shoal.threads", "shoal.libraries"} & set(run.data.tags)
        assert "sweep_seconds" not in run.data.metrics
    params = {sweep: {run.data.tags["shoal.params"] for run in runs_of(paths, sweep)} for sweep in ("sizes", "ridge")}
    raw = store.read_json(paths.params)
    store.write_json(paths.params, raw | {"sweeps": raw["sweeps"] | {"sizes": {"width": 7}}})
    changed = {sweep: Provenances(paths).of(sweep).tags["shoal.params"] for sweep in ("sizes", "ridge")}
    assert {changed["ridge"]} == params["ridge"] and {changed["sizes"]} != params["sizes"]


def test_no_repository_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = write_results(tmp_path, {"ridge": SMALL})
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert "mlflow.source.git.commit" not in Provenances(paths).tags
    monkeypatch.setenv("PATH", "")
    assert "mlflow.source.git.commit" not in Provenances(paths).tags


def test_granularity_of_networks(root: Path) -> None:
    """Below the run of each cell one for each of its networks, with its own numbers and curve."""
    paths = write_results(root, {"sizes": DIVERGING})
    receipt = track(paths, ["sizes"])
    assert not is_tracked(paths, ["sizes"], "network")
    assert receipt != track(paths, ["sizes"], granularity="network")
    assert is_tracked(paths, ["sizes"], "network") and is_tracked(paths, ["sizes"])
    runs = {run.data.tags["shoal.key"].partition("/")[2].partition("/")[2]: run for run in runs_of(paths, "sizes")}
    assert len(runs) == 1 + 3 + 9 and {run.info.status for run in runs.values()} == {"FINISHED"}
    whole, dead = runs["relu-d1-w005/r001"], runs["relu-d1-w005/r002"]
    for run in (whole, dead):
        assert run.data.tags["mlflow.parentRunId"] == runs["relu-d1-w005"].info.run_id
    assert whole.data.metrics["test_mse"] == pytest.approx(3 * 2 * 0.2)
    assert whole.data.params["replicate"] == "1" and whole.data.params["batch_size"] == "full"
    assert whole.data.tags["shoal.network"] == "sizes-relu-d1-w005-1"
    assert np.isnan(dead.data.metrics["test_mse"]) and dead.data.metrics["diverged_fraction"] == 1
    curve = client_of(paths).get_metric_history(whole.info.run_id, "half_mse")
    assert {0, STEPS} <= {point.step for point in curve} and len(curve) <= 50
    client_of(paths).delete_run(runs["relu-d1-w005"].info.run_id)
    assert not is_tracked(paths, ["sizes"], "network")
    track(paths, ["sizes"], granularity="network")
    assert is_tracked(paths, ["sizes"], "network") and len(runs_of(paths, "sizes")) == 13


def test_the_chosen_network_is_a_model_of_its_sweep(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It follows the choice: another network of the sweep is another model, one of another sweep takes the tag away."""
    paths = write_results(root, {"sizes": SMALL, "ridge": SMALL})
    track(paths, ["sizes", "ridge"])
    uri = parent_of(paths, "sizes").data.tags["shoal.model"]
    assert "shoal.model" not in parent_of(paths, "ridge").data.tags
    monkeypatch.setenv("MLFLOW_TRACKING_URI", destination.tracking_uri(paths))
    model = mlflow.pyfunc.load_model(uri)
    assert model.metadata.signature.outputs.input_names() == ["y_predicted"]
    x = np.array([[-1.5], [2.0]])
    params = np.arange(1, 17) / 10
    expected = 2 * studies.forward("dense 5 > relu > dense 1", params, (x - 0.5) / 2) + 0.5
    assert model.predict(pd.DataFrame(x, columns=["x"]))["y_predicted"].to_numpy() == pytest.approx(expected[:, 0])
    assert not list((paths.mlflow_artifacts / "sizes").rglob("*.pkl"))

    choice = store.read_json(paths.chosen)
    store.write_json(paths.chosen, choice | {"sweep": "ridge", "network_id": "ridge-relu-d1-w005-0"})
    weights = pd.DataFrame({"network_id": ["ridge-relu-d1-w005-0"], "params": [params]})
    store.write_table(paths.weights("ridge"), weights)
    assert not is_tracked(paths, ["sizes"])
    track(paths, ["sizes", "ridge"])
    assert "shoal.model" not in parent_of(paths, "sizes").data.tags
    assert parent_of(paths, "ridge").data.tags["shoal.model"] != uri
    assert is_tracked(paths, ["sizes", "ridge"])


def test_where_no_network_is_chosen_there_is_no_model(root: Path) -> None:
    """As where all of them diverged; what was chosen before loses the tag."""
    paths = write_results(root, {"sizes": SMALL})
    track(paths, ["sizes"])
    store.write_json(paths.chosen, None)
    assert not is_tracked(paths, ["sizes"])
    assert_whole(paths, ["sizes"], track(paths, ["sizes"]))
    assert "shoal.model" not in parent_of(paths, "sizes").data.tags
    assert is_tracked(paths, ["sizes"])
