"""Result files: whole or not at all, strict about what they hold, and read back as they were."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from shoal.pipeline import store
from shoal.pipeline.errors import OutOfDateError
from shoal.pipeline.paths import Paths
from shoal.pipeline.store import files
from tests import studies


def test_a_writer_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("old", encoding="utf-8")

    def half_way(temporary: Path) -> None:
        temporary.write_text("half", encoding="utf-8")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        store.write_whole(path, half_way)
    assert studies.files(tmp_path) == {"table.csv": b"old"}


def test_a_writer_that_succeeds_replaces_the_old_file_and_makes_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "text"
    store.write_text(path, "old")
    store.write_text(path, "wäre\n")
    assert studies.files(tmp_path) == {"a/b/text": "wäre\n".encode()}


def test_what_a_killed_writer_has_left_is_removed_and_what_another_writes_is_not(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    for name, writer in (("a[1].csv", ended.pid), ("a[1].csv", os.getppid()), ("a1.csv", ended.pid)):
        (tmp_path / f".{name}.{writer}.tmp").touch()
    store.write_text(tmp_path / "a[1].csv", "new")
    left = {f".a[1].csv.{os.getppid()}.tmp", f".a1.csv.{ended.pid}.tmp"}
    assert {path.name for path in tmp_path.iterdir()} == {"a[1].csv", *left}


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_json_has_no_nan(tmp_path: Path, number: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        store.write_json(tmp_path / "a.json", {"x": [1.0, number]})
    assert studies.files(tmp_path) == {}


def test_json_comes_back(tmp_path: Path) -> None:
    value = {"b": [0.1 + 0.2, None], "a": "x"}
    store.write_json(tmp_path / "a.json", value)
    assert store.read_json(tmp_path / "a.json") == value


def test_csv_keeps_every_digit(tmp_path: Path) -> None:
    values = np.array([0.1 + 0.2, 1 / 3, 1e-300, -2.5e17])
    store.write_csv(tmp_path / "a.csv", pd.DataFrame({"x": values}))
    assert b"\r" not in (tmp_path / "a.csv").read_bytes()
    assert [float(line) for line in (tmp_path / "a.csv").read_text().split()[1:]] == values.tolist()


def test_runs_table_has_the_columns_and_nulls_it_promises(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"network_id": "a", "width": 5, "learning_rate": 0.1, "diverged_step": None, "train_cost": 1.5},
        {"network_id": "b", "width": None, "learning_rate": None, "diverged_step": 7, "train_cost": None},
    ]
    store.write_table(tmp_path / "runs.parquet", store.runs_table(rows))
    table = store.read_table(tmp_path / "runs.parquet")
    assert {name: str(kind) for name, kind in table.dtypes.items()} == store.RUN_COLUMNS
    assert table["width"].tolist() == [5, pd.NA]
    assert table["diverged_step"].tolist() == [pd.NA, 7]
    assert table["train_cost"].tolist() == [1.5, pd.NA]
    assert table["activation"].isna().all()


def test_the_same_table_gives_the_same_bytes(tmp_path: Path) -> None:
    table = pd.DataFrame({"x": np.arange(1000) / 7, "y": [np.arange(3.0)] * 1000})
    store.write_table(tmp_path / "a", table)
    store.write_table(tmp_path / "b", table.copy())
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_parameters_come_back_bit_for_bit(tmp_path: Path, dtype: str) -> None:
    """NaN of every sign and payload, infinity, -0; also where every number of a network is NaN."""
    nan = np.full(4, np.nan, dtype)
    nan.view(f"u{nan.itemsize}")[1:] |= np.array([5, 7, 1 << (8 * nan.itemsize - 1)], f"u{nan.itemsize}")
    rows = [np.array([np.inf, -np.inf, -0.0, np.pi], dtype), nan, np.r_[nan, np.ones(3, dtype)], np.ones(2, dtype)]
    paths = Paths(tmp_path)
    store.write_table(paths.weights("any"), pd.DataFrame({"network_id": list("abcd"), "params": rows}))
    for weights in (store.read_weights(paths, "any"), store.weights_of(paths, "any", "abcde")):
        assert {key: (row.dtype, row.tobytes()) for key, row in weights.items()} == {
            key: (np.dtype(dtype), row.tobytes()) for key, row in zip("abcd", rows, strict=True)
        }


def test_curves_are_read_part_by_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks that begin in one row group and end in another, or have no cost at some steps, or no curve."""
    monkeypatch.setattr(files, "ROWS", 7)
    rows = [(f"n{i}", step, i + step / 8 if (i + step) % 5 else None) for i in range(9) for step in range(i)]
    table = pd.DataFrame(rows, columns=["network_id", "step", "cost"])
    store.write_table(tmp_path / "curves.parquet", table.astype({"network_id": "string"}))
    curves = store.LearningCurves(tmp_path / "curves.parquet")
    assert len(curves) == len(table)
    for wanted in (["n3"], ["n8", "n1", "n4"], [f"n{i}" for i in range(9)], ["n0"], ["unknown"], []):
        steps, values = curves.of(wanted)
        own = table.dropna().pivot(index="network_id", columns="step", values="cost").reindex(wanted)
        own = own.dropna(axis=1, how="all")
        np.testing.assert_array_equal(steps, own.columns)
        np.testing.assert_array_equal(values, own.to_numpy(float))


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    sweeps = {"ridge": studies.RIDGE, "branches": studies.BRANCHES}
    return studies.train(studies.write(tmp_path_factory.mktemp("study"), sweeps), sweeps)


def test_load_network_finds_any_network(study: Paths) -> None:
    for sweep in ("ridge", "branches"):
        weights = store.read_weights(study, sweep)
        runs = store.read_table(study.runs(sweep))
        assert list(weights) == list(runs["network_id"])
        for _, row in runs.iterrows():
            network = store.load_network(study, ["ridge", "branches"], row["network_id"])
            assert (network.run["sweep"], network.run["cell"], network.run["replicate"]) == (
                sweep, row["cell"], row["replicate"],
            )  # fmt: skip
            assert str(network.architecture) == row["architecture"]
            assert network.params.tobytes() == weights[row["network_id"]].tobytes()


def test_load_network_has_none_where_a_column_does_not_apply(study: Paths) -> None:
    first = store.read_table(study.runs("ridge"))["network_id"][0]
    run = store.load_network(study, ["ridge"], first).run
    assert (run["learning_rate"], run["steps"], run["diverged_step"], run["alpha"]) == (None, None, None, 0.1)


def test_load_network_says_where_it_looked(study: Paths) -> None:
    with pytest.raises(OutOfDateError, match="no network 'abc' in the results of ridge, branches"):
        store.load_network(study, ["ridge", "branches"], "abc")


def test_read_runs_keeps_the_order_and_types(study: Paths) -> None:
    runs = store.read_runs(study, ["branches", "ridge"])
    assert list(runs["sweep"].drop_duplicates()) == ["branches", "ridge"]
    assert list(runs.index) == list(range(8))
    assert {name: str(kind) for name, kind in runs.dtypes.items()} == store.RUN_COLUMNS


def test_a_device_is_never_replaced_by_a_file() -> None:
    with pytest.raises(OSError, match="a device"):
        store.write_text(Path("/dev/null"), "x")
    assert Path("/dev/null").is_char_device()
