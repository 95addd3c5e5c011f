"""The MLflow store shows the result files: every run once, whatever happened before, and nothing infinite in it."""

from __future__ import annotations

import base64
import http.client
import itertools
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import store
from pipeline.paths import Paths
from pipeline.stages import track as stage
from pipeline.statistics.cells import cell_table, with_errors
from pipeline.tracking import is_tracked, location, records, server, track, ui, view
from pipeline.tracking.runs import MlflowClient, Run
from tests import studies

pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:DeprecationWarning")

SMALL = {"relu-d1-w005": 0, "tanh-d1-w005": 0}
"""Cells of a sweep, and how many of their three networks diverged."""

DIVERGING = {"relu-d1-w005": 1, "tanh-d1-w005": 2, "linear-d1-w005": 3}
STEPS = 200
WRITES = (
    "create_experiment", "restore_experiment", "set_experiment_tag", "create_run", "delete_run",
    "log_batch", "log_artifact", "set_tag", "set_terminated",
)  # fmt: skip


def write_results(root: Path, sweeps: dict[str, dict[str, int]], error: float = 0.1) -> Paths:
    """Write made-up results of three networks a cell, by gradient descent but for the sweeps `adam` and `ridge`."""
    paths, runs, networks = Paths(root), [], []
    for sweep, cells in sweeps.items():
        rows = [_row(sweep, cell, n, n >= 3 - bad, error) for cell, bad in cells.items() for n in range(3)]
        runs.append(store.runs_table(rows))
        store.write_table(paths.runs(sweep), runs[-1])
        store.write_table(paths.curves(sweep), _curves(runs[-1]))
        mse = 2 * runs[-1]["train_half_mse"].astype(float).fillna(np.inf)
        columns = runs[-1][["network_id", "sweep", "cell", "replicate", "status"]]
        networks.append(columns.assign(train_mse=mse, validation_mse=mse, test_mse=3 * mse))
        figure = paths.figures / sweep / "test_mse.svg"
        store.write_text(figure, f"<svg xmlns='http://www.w3.org/2000/svg'><!-- {sweep} --></svg>")
    cells_table = cell_table(with_errors(pd.concat(runs), pd.concat(networks)), 9001)
    store.write_table(paths.cells, cells_table)
    store.write_json(paths.data / "data.json", {"data_hash": "0123"})
    return paths


def _row(sweep: str, cell: str, replicate: int, diverged: bool, error: float) -> dict[str, Any]:
    activation, ridge = cell.split("-")[0], sweep == "ridge"
    optimizer = sweep if sweep in ("adam", "ridge") else "gd"
    return {
        "network_id": f"{sweep}-{cell}-{replicate}", "sweep": sweep, "cell": cell,
        "architecture": f"dense 5 > {activation} > dense 1", "activation": activation, "depth": 1, "width": 5,
        "hidden_sizes": "5", "n_features": 1, "n_outputs": 1, "optimizer": optimizer,
        "learning_rate": None if ridge else 0.02, "batch_size": None, "steps": None if ridge else STEPS,
        "alpha": 0.1 if ridge else None, "replicate": replicate, "dtype": "float64",
        "status": "diverged" if diverged else "ok", "diverged_step": 7 if diverged else None,
        "train_half_mse": None if diverged else error * (replicate + 1),
    }  # fmt: skip


def _curves(runs: pd.DataFrame) -> pd.DataFrame:
    """Every step of a descent to train_half_mse, 7 steps where a network diverged, none of a ridge readout."""
    parts = [pd.DataFrame({"network_id": [], "step": [], "half_mse": []}).astype({"network_id": str, "step": int})]
    for run in runs[runs["optimizer"] != "ridge"].itertuples():
        steps = np.arange(8 if run.status == "diverged" else STEPS + 1)
        final = 1.0 if run.status == "diverged" else float(run.train_half_mse)
        parts.append(pd.DataFrame({"network_id": run.network_id, "step": steps, "half_mse": final + STEPS - steps}))
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module")
def blank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store without experiments, made by `track`: its tables take 2 s."""
    paths = Paths(tmp_path_factory.mktemp("blank"))
    track(paths, [])
    MlflowClient(location.tracking_uri(paths)).search_experiments()
    return paths.mlflow_database


@pytest.fixture(autouse=True)
def _own_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture
def root(tmp_path: Path, blank: Path) -> Path:
    """A project folder, named as people name folders, with a copy of the blank store."""
    folder = tmp_path / "my 100% study"
    folder.mkdir()
    _copy(blank, folder / "mlflow.db")
    return folder


def _copy(database: Path, to: Path) -> None:
    with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(to)) as target:
        source.backup(target)


def client_of(paths: Paths) -> MlflowClient:
    return MlflowClient(location.tracking_uri(paths))


def runs_of(paths: Paths, sweep: str, client: MlflowClient | None = None) -> list[Run]:
    """The runs of an experiment that are not deleted."""
    client = client or client_of(paths)
    experiment = client.get_experiment_by_name(sweep)
    assert experiment is not None and experiment.lifecycle_stage == "active"
    return list(client.search_runs([experiment.experiment_id]))


def assert_whole(paths: Paths, sweeps: Sequence[str], receipt: dict[str, Any]) -> None:
    """Every run of the receipt is there once, finished, the cells below the run of their sweep, with its files."""
    for sweep in sweeps:
        runs = runs_of(paths, sweep)
        current = [run for run in runs if run.data.tags["shoal.state"] == receipt["sweeps"][sweep]["state"]]
        keys = Counter(run.data.tags["shoal.key"] for run in current)
        assert keys == Counter(receipt["sweeps"][sweep]["runs"])
        assert {run.info.status for run in current} == {"FINISHED"}
        assert "RUNNING" not in {run.info.status for run in runs}
        (parent,) = (run for run in current if "mlflow.parentRunId" not in run.data.tags)
        cells = [run for run in current if run is not parent]
        assert {run.data.tags["mlflow.parentRunId"] for run in cells} == {parent.info.run_id}
        for run in cells:
            assert {"test_mse", "log10_test_mse_q3", "diverged_fraction"} <= set(run.data.metrics)
            assert ("half_mse" in run.data.metrics) == (run.data.params["optimizer"] != "ridge")
        files = client_of(paths).list_artifacts(parent.info.run_id)
        assert [file.path for file in files] == ["cells.csv", "figures"]


def parent_of(paths: Paths, sweep: str) -> Run:
    (parent,) = (run for run in runs_of(paths, sweep) if run.data.tags["shoal.kind"] == "sweep")
    return parent


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
    assert run.data.metrics["test_mse"] == row["test_mse_median"] == pytest.approx(1.2)
    assert run.data.metrics["log10_test_mse_q1"] == row["log10_test_mse_q1"]
    assert run.data.metrics["validation_mse"] == row["validation_mse_median"]
    assert run.data.metrics["train_half_mse"] == row["train_half_mse_median"]
    assert run.data.metrics["diverged_fraction"] == pytest.approx(1 / 3)
    assert np.isnan(run.data.metrics["test_mse_q3"])
    assert set(run.data.tags["shoal.not_finite"].split(", ")) == {f"{name}_q3" for name in records.RANKED}
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


def test_adam_has_the_keys_and_the_curve_of_gradient_descent(root: Path) -> None:
    paths = write_results(root, {"adam": SMALL, "sizes": SMALL})
    assert_whole(paths, ["adam", "sizes"], track(paths, ["adam", "sizes"]))
    [adam], [descent] = (
        [run.data for run in runs_of(paths, sweep) if run.info.run_name == next(iter(SMALL))]
        for sweep in ("adam", "sizes")
    )
    assert adam.params == descent.params | {"optimizer": "adam"}
    assert adam.params["batch_size"] == "full"
    assert adam.metrics == descent.metrics


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


def test_twice_is_once(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the runs of an experiment do not come in one answer."""
    monkeypatch.setattr("pipeline.tracking.runs.PAGE", 2)
    paths = write_results(root, {"sizes": SMALL})
    assert not is_tracked(paths, ["sizes"])
    first = track(paths, ["sizes"])
    before = {run.info.run_id for run in runs_of(paths, "sizes")}
    assert is_tracked(paths, ["sizes"])
    assert track(paths, ["sizes"]) == first
    assert {run.info.run_id for run in runs_of(paths, "sizes")} == before
    assert_whole(paths, ["sizes"], first)


def test_fresh_stores_give_the_same_receipt(root: Path, tmp_path: Path) -> None:
    """And it holds no path, date or run id: a second project with the same results has the same bytes."""
    other = tmp_path / "other"
    other.mkdir()
    _copy(root / "mlflow.db", other / "mlflow.db")
    written = []
    for folder in (root, other):
        paths = studies.write(folder, {"sizes": studies.SIZES, "ridge": studies.RIDGE})
        write_results(folder, {"sizes": SMALL, "ridge": SMALL})
        assert stage.run(paths) == {"runs": 6}
        written.append(paths.receipt.read_bytes())
    assert written[0] == written[1]
    assert list(json.loads(written[0])["sweeps"]) == ["sizes", "ridge"]


def test_saved_view_lists_the_cells_of_the_present_results(root: Path) -> None:
    """Its filter and order are MLflow's own syntax, its columns exist, and what tells no cells apart has none."""
    for error in (0.1, 0.2):
        paths = write_results(root, {"sizes": {"relu-d1-w005": 0, "tanh-d1-w005": 1, "linear-d1-w005": 0}}, error)
        track(paths, ["sizes"])
    client = client_of(paths)
    experiment = client.get_experiment_by_name("sizes")
    packed = json.loads(experiment.tags[view.TAG])["state"].removeprefix("deflate;")
    saved = json.loads(zlib.decompress(base64.b64decode(packed)))
    found = client.search_runs([experiment.experiment_id], saved["searchFilter"], order_by=[f"{view.SORTED_BY} ASC"])
    assert Counter(run.info.run_name for run in found) == Counter(["relu-d1-w005", "tanh-d1-w005", "linear-d1-w005"])
    errors = [run.data.metrics["log10_test_mse"] for run in found]
    assert errors == sorted(errors) and min(errors) == pytest.approx(np.log10(3 * 2 * 0.4))
    columns = [column.replace("`", "").split(".") for column in saved["selectedColumns"]]
    assert [name for kind, name in columns if kind == "params"] == ["activation"]
    assert {name for kind, name in columns if kind == "metrics"} <= set(found[0].data.metrics)


class Killed(BaseException):
    """What a process meets when it is killed: nothing of it runs after that."""


@pytest.fixture
def kill_after(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """A counter in a list: each write to the store takes one from it, and the one that empties it is the last."""
    left = [10**9]

    def counted(name: str) -> None:
        write = getattr(MlflowClient, name)

        def wrapper(*args: Any, **kwargs: Any) -> Any:
            result = write(*args, **kwargs)
            left[0] -= 1
            if left[0] == 0:
                raise Killed
            return result

        monkeypatch.setattr(MlflowClient, name, wrapper)

    for name in WRITES:
        counted(name)
    return left


def test_killed_after_any_write_and_run_again(root: Path, kill_after: list[int]) -> None:
    """Every k-th write in turn is the last one of a process; the next process makes it whole."""
    names = [f"k{k:02d}" for k in range(1, 15)]
    paths = write_results(root, dict.fromkeys(names, SMALL))
    for k, name in enumerate(names, start=1):
        kill_after[0] = k
        if k < 14:  # experiment and view, parent and its two files and their tag, three writes a cell, the parent's end
            with pytest.raises(Killed):
                track(paths, [name])
            assert is_tracked(paths, [name]) == (k == 13)
        assert_whole(paths, [name], track(paths, [name]))
    assert kill_after[0] == 1


def test_killed_twice_with_other_results_between(root: Path, kill_after: list[int]) -> None:
    """What was left running of results that are gone ends as KILLED, and is made whole when they come back."""
    paths = write_results(root, {"sizes": SMALL})
    for error in (0.1, 0.2):
        kill_after[0] = 8
        with pytest.raises(Killed):
            track(write_results(root, {"sizes": SMALL}, error), ["sizes"])
    kill_after[0] = 10**9
    assert_whole(paths, ["sizes"], track(paths, ["sizes"]))
    assert "KILLED" in {run.info.status for run in runs_of(paths, "sizes")}
    write_results(root, {"sizes": SMALL})
    assert_whole(paths, ["sizes"], track(paths, ["sizes"]))
    assert {run.info.status for run in runs_of(paths, "sizes")} == {"FINISHED"}
    assert len(runs_of(paths, "sizes")) == 6


def test_changed_results_are_new_runs_beside_the_old(root: Path) -> None:
    paths = write_results(root, {"sizes": SMALL, "ridge": SMALL})
    old = track(paths, ["sizes", "ridge"])
    write_results(root, {"sizes": SMALL | {"relu-d2-w005": 0}, "ridge": SMALL})
    assert not is_tracked(paths, ["sizes"])
    new = track(paths, ["sizes", "ridge"])
    assert new["sweeps"]["ridge"] == old["sweeps"]["ridge"]
    assert new["sweeps"]["sizes"]["state"] != old["sweeps"]["sizes"]["state"]
    assert len(runs_of(paths, "sizes")) == 3 + 4
    assert_whole(paths, ["sizes", "ridge"], new)
    assert_whole(paths, ["sizes", "ridge"], old)


def test_deleted_things_come_back_once(root: Path) -> None:
    """A deleted cell, a deleted parent, a deleted experiment; duplicates go, and foreign runs stay."""
    paths = write_results(root, {"sizes": SMALL})
    receipt, client = track(paths, ["sizes"]), client_of(paths)
    experiment = client.get_experiment_by_name("sizes")
    cell = next(run for run in runs_of(paths, "sizes") if run.data.tags["shoal.kind"] == "cell")
    client.create_run(experiment.experiment_id, tags=cell.data.tags)
    for doomed in (cell, parent_of(paths, "sizes")):
        client.delete_run(doomed.info.run_id)
        assert not is_tracked(paths, ["sizes"])
        assert_whole(paths, ["sizes"], track(paths, ["sizes"]))
    client.delete_experiment(experiment.experiment_id)
    assert not is_tracked(paths, ["sizes"])
    assert_whole(paths, ["sizes"], track(paths, ["sizes"]))
    foreign = client.create_run(experiment.experiment_id, run_name="mine")
    assert track(paths, ["sizes"]) == receipt
    assert client.get_run(foreign.info.run_id).info.status == "RUNNING"


def test_removed_sweeps_leave_the_receipt_and_missing_results_are_named(root: Path) -> None:
    paths = write_results(root, {"sizes": SMALL, "ridge": SMALL})
    track(paths, ["sizes", "ridge"])
    assert list(track(paths, ["ridge"])["sweeps"]) == ["ridge"]
    shutil.rmtree(paths.runs("ridge").parent)
    with pytest.raises(FileNotFoundError, match=r"runs\.parquet"):
        is_tracked(paths, ["ridge"])


def test_a_new_store_is_written_ahead(blank: Path) -> None:
    with closing(sqlite3.connect(blank)) as database:
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_uri_of_the_environment(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store is the one it names; figures stay below the project; the project's own store is left alone."""
    paths = write_results(root, {"sizes": SMALL})
    elsewhere = tmp_path / "elsewhere.db"
    _copy(paths.mlflow_database, elsewhere)
    paths.mlflow_database.unlink()
    assert not is_tracked(paths, ["sizes"]) and not paths.mlflow_database.exists()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{elsewhere}")
    assert_whole(paths, ["sizes"], track(paths, ["sizes"]))
    assert is_tracked(paths, ["sizes"])
    assert not paths.mlflow_database.exists()
    assert (paths.mlflow_artifacts / "sizes").is_dir()


@given(
    diverged_at=st.lists(st.none() | st.integers(0, 300), min_size=1, max_size=5),
    steps=st.lists(st.integers(0, 10_000), min_size=1, max_size=300, unique=True).map(sorted),
)
def test_median_curve(diverged_at: list[int | None], steps: list[int]) -> None:
    """About 50 steps, first and last among them, each with the median over all networks, while that is finite."""
    ends = [len(steps) if end is None else end for end in diverged_at]
    rows = [(str(n), step, step + n) for n, end in enumerate(ends) for step in steps[:end]]
    curves = pd.DataFrame(rows, columns=["network_id", "step", "half_mse"]).set_index("network_id")
    curve = records.median_curve(curves, [str(n) for n in range(len(ends))])
    medians = {
        step: np.median([step + n if i < end else np.inf for n, end in enumerate(ends)]) for i, step in enumerate(steps)
    }
    finite = [step for step in steps if np.isfinite(medians[step])]
    assert all(value == medians[step] for step, value in curve)
    assert len(curve) <= 50
    assert not finite or curve[0][0] == finite[0]
    if len(finite) == len(steps) or len(finite) <= 1:
        assert [step for step, _ in curve][-1:] == finite[-1:]


def test_a_taken_port_is_passed_over() -> None:
    with socket.socket() as taken:
        taken.bind((server.HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert server.free_port(port) > port


def test_a_server_that_does_not_start_is_reported(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = write_results(root, {"sizes": SMALL})
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    with pytest.raises(RuntimeError, match=r"ended with status 1: see .*ui\.log"):
        ui(paths, ["sizes"], 5700)
    assert is_tracked(paths, ["sizes"])


def test_ui_serves_the_store_and_a_server_takes_runs(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The UI tracks what is missing, answers on its port until Ctrl-C; another project's runs arrive through it."""
    paths = write_results(root, {"sizes": DIVERGING})
    code = "import signal, sys; from pathlib import Path; from pipeline.paths import Paths\n"
    code += "from pipeline.tracking import ui\n"
    code += "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # tests in the background inherit its absence
    code += "ui(Paths(Path(sys.argv[1])), ['sizes'], 5600)"
    environment = os.environ | {"PYTHONPATH": str(studies.ROOT)}
    command = [sys.executable, "-c", code, str(root)]
    process = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        lines = list(itertools.takewhile(lambda line: not line.startswith("Ctrl-C"), process.stdout))
        url = lines[0].split()[2]
        assert is_tracked(paths, ["sizes"])
        assert lines[1].split()[0] == "sizes" and lines[1].split()[1].startswith(f"{url}/#/experiments/")
        assert url.startswith("http://127.0.0.1:56")

        other = tmp_path / "other"
        other_paths = write_results(other, {"more": DIVERGING})
        monkeypatch.setenv("MLFLOW_TRACKING_URI", url)
        receipt = track(other_paths, ["more"])
        assert is_tracked(other_paths, ["more"]) and track(other_paths, ["more"]) == receipt
        assert not other_paths.mlflow_database.exists()
        (run,) = (run for run in runs_of(other_paths, "more") if run.info.run_name == "relu-d1-w005")
        assert np.isnan(run.data.metrics["test_mse_q3"]) and run.data.metrics["test_mse"] == pytest.approx(1.2)
        figures = client_of(other_paths).list_artifacts(parent_of(other_paths, "more").info.run_id, "figures")
        assert [file.path for file in figures] == ["figures/test_mse.svg"]
        ui(other_paths, ["more"], 5000)
        assert capsys.readouterr().out.startswith(f"MLflow UI: {url}")
    finally:
        process.send_signal(signal.SIGINT)
        try:
            assert process.wait(timeout=20) == 0
        finally:
            process.terminate()
            process.stdout.close()
    with pytest.raises(ConnectionRefusedError):
        http.client.HTTPConnection(url.removeprefix("http://"), timeout=5).connect()
