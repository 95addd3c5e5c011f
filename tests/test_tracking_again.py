"""The MLflow store has every run once, whatever happened before."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import sqlite3
import zlib
from collections import Counter
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from shoal.pipeline import store
from shoal.pipeline.stages import track as stage
from shoal.pipeline.tracking import is_tracked, track, view
from shoal.pipeline.tracking.tags import Provenances
from tests import studies
from tests.made_up import (
    SMALL,
    assert_whole,
    client_of,
    copy_store,
    parent_of,
    runs_of,
    write_results,
)

pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:DeprecationWarning")


def test_twice_is_once(root: Path) -> None:
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
    copy_store(root / "mlflow.db", other / "mlflow.db")
    written = []
    for folder in (root, other):
        write_results(folder, {"sizes": SMALL, "ridge": SMALL})
        paths = studies.write(folder, {"sizes": studies.SIZES, "ridge": studies.RIDGE})
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
    found = client.search_runs(
        [experiment.experiment_id], saved["searchFilter"], order_by=[f"{saved['orderByKey']} ASC"]
    )
    assert Counter(run.info.run_name for run in found) == Counter(["relu-d1-w005", "tanh-d1-w005", "linear-d1-w005"])
    errors = [run.data.metrics["log10_test_mse"] for run in found]
    assert errors == sorted(errors) and min(errors) == pytest.approx(np.log10(3 * 2 * 0.4))
    columns = [column.replace("`", "").split(".") for column in saved["selectedColumns"]]
    assert [name for kind, name in columns if kind == "params"] == ["activation"]
    assert {name for kind, name in columns if kind == "metrics"} <= set(found[0].data.metrics)


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
    copy_store(paths.mlflow_database, elsewhere)
    paths.mlflow_database.unlink()
    assert not is_tracked(paths, ["sizes"]) and not paths.mlflow_database.exists()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{elsewhere}")
    assert_whole(paths, ["sizes"], track(paths, ["sizes"]))
    assert is_tracked(paths, ["sizes"])
    assert not paths.mlflow_database.exists()
    assert (paths.mlflow_artifacts / "sizes").is_dir()


def test_the_hash_of_parameters_is_that_of_the_receipt_beside_the_results(root: Path) -> None:
    """What is tracked after an edit of params.yaml was made from the parameters before it."""
    paths = write_results(root, {"sizes": SMALL})
    made_from = {"seed": 1, "dtype": "float64", "sweeps.sizes": {"width": 7}}
    content = {"receipt": "results/sizes/receipt.json", "params": made_from, "inputs": {}, "files": {}}
    store.write_json(paths.sweep_receipt("sizes"), content)
    tag = hashlib.sha256(b'[1, "float64", {"width": 7}]').hexdigest()[:16]
    assert Provenances(paths).of("sizes").tags["shoal.params"] == tag
