"""Tables in and out: no bit is lost, and files are what spreadsheets and data libraries write."""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.datasets import load_diabetes, load_linnerud

from shoal.pipeline import config, data
from shoal.pipeline.config import ConfigError
from shoal.pipeline.paths import Paths
from shoal.pipeline.stages import data as stage
from tests.datasets import assert_identical, build, configure, rows


@settings(max_examples=30, deadline=None)
@given(values=arrays(np.float64, (12, 3), elements=st.floats(-1e100, 1e100)))
def test_every_bit_of_a_number_survives(tmp_path_factory: pytest.TempPathFactory, values: np.ndarray) -> None:
    root = tmp_path_factory.getbasetemp()
    table = pd.DataFrame(values, columns=["a", "b", "c"])
    table.to_csv(root / "t.csv", index=False)
    table.to_parquet(root / "t.parquet", index=False)
    paths = configure(root, standardise=False)
    dataset = data.build(config.load(paths), paths)
    read = np.vstack([np.hstack([split.x, split.y]) for split in (dataset.train, dataset.validation, dataset.test)])
    assert sorted(map(bytes, read)) == sorted(map(bytes, values))
    assert_identical(dataset, build(root, standardise=False, path="t.parquet"))
    data.save(dataset, paths)
    assert_identical(dataset, data.load(paths))


def test_file_dataset_is_loaded_with_its_scalings(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b,c\n" + rows(31), encoding="utf-8")
    stage.run(configure(tmp_path, targets=["c", "a"]))
    loaded = data.load(Paths(tmp_path))
    assert_identical(build(tmp_path, targets=["c", "a"]), loaded)
    assert (loaded.n_features, loaded.n_outputs) == (1, 2)
    assert loaded.train.x.flags.writeable
    assert pd.read_parquet(tmp_path / "data" / "grid.parquet").columns.tolist() == ["b", "c", "a"]


def test_written_bytes_depend_on_the_inputs_alone(tmp_path: Path) -> None:
    written = []
    for name in ("one", "two"):
        root = tmp_path / name
        root.mkdir()
        (root / "t.csv").write_text("a,b,c\n" + rows(30), encoding="utf-8")
        stage.run(configure(root))
        written.append({path.name: path.read_bytes() for path in (root / "data").iterdir()})
    assert written[0] == written[1]
    tables = ["rows.parquet", "test.parquet", "train.parquet", "validation.parquet"]
    assert sorted(written[0]) == sorted(["data.json", "study.json", "grid.parquet", "receipt.json", *tables])


def test_hash_follows_the_standardised_training_split(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b,c\n" + rows(30), encoding="utf-8")
    hashes = [build(tmp_path).data_hash, build(tmp_path, standardise=False).data_hash]
    hashes += [build(tmp_path, features=["a"]).data_hash, build(tmp_path, split_seed=3).data_hash]
    assert len(set(hashes)) == 4
    assert all(len(bytes.fromhex(digest)) == 32 for digest in hashes)


def test_hash_is_of_shapes_and_bytes(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b,c\n" + "3,4,5\n" * 5, encoding="utf-8")
    content = struct.pack("<2q6d", 3, 2, *(3, 4) * 3) + struct.pack("<2q3d", 3, 1, *(5,) * 3)
    assert build(tmp_path, standardise=False).data_hash == hashlib.sha256(content).hexdigest()


def test_bad_table_writes_nothing(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b,c\n1,2,x\n" + rows(20), encoding="utf-8")
    with pytest.raises(ConfigError):
        stage.run(configure(tmp_path))
    assert not (tmp_path / "data").exists()


def test_csv_as_spreadsheets_write_it(tmp_path: Path) -> None:
    text = '\ufeff a , "b" ,c\r\n' + rows(20).replace("\n", "\r\n") + "\r\n\r\n"
    (tmp_path / "t.csv").write_text(text.replace(' "b" ', '"b"'), encoding="utf-8", newline="")
    dataset = build(tmp_path)
    assert dataset.feature_names == ("a", "b")
    assert sum(len(split.x) for split in (dataset.train, dataset.validation, dataset.test)) == 20


def test_parquet_of_whole_numbers_with_an_index(tmp_path: Path) -> None:
    table = pd.DataFrame({"a": range(20), "b": pd.array(range(20), dtype="Int32"), "c": np.float32(0.1)})
    table.sample(frac=1, random_state=0).to_parquet(tmp_path / "t.parquet")
    dataset = build(tmp_path, path="t.parquet")
    assert dataset.feature_names == ("a", "b")
    assert dataset.train.y[0, 0] == float(np.float32(0.1))


@pytest.mark.parametrize(("bunch", "shape"), [(load_diabetes, (442, 10, 1)), (load_linnerud, (20, 3, 3))])
def test_scikit_learn_tables(tmp_path: Path, bunch: Any, shape: tuple[int, int, int]) -> None:
    loaded = bunch(as_frame=True)
    targets = pd.DataFrame(loaded.target)
    loaded.data.join(targets).to_csv(tmp_path / "t.csv", index=False)
    dataset = build(tmp_path, targets=targets.columns.tolist())
    splits = (dataset.train, dataset.validation, dataset.test)
    assert (sum(len(split.x) for split in splits), dataset.n_features, dataset.n_outputs) == shape
    read = np.vstack([np.hstack([split.x, split.y]) for split in splits])
    original = loaded.data.join(targets).to_numpy(dtype=np.float64)
    assert sorted(map(bytes, read)) == sorted(map(bytes, original))
    assert dataset.y_scaling.undo(dataset.outputs(dataset.test)) == pytest.approx(dataset.test.y, rel=1e-14)


# ---- faults of cells
