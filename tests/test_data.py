"""The data of a study: where its numbers come from, that none is lost or changed, and what bad tables are told."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.datasets import load_diabetes, load_linnerud

from pipeline import config, data
from pipeline.config import ConfigError
from pipeline.data import tables
from pipeline.paths import Paths
from pipeline.stages import data as stage
from tests.studies import TRACKING

SWEEP = {"activation": "relu", "depth": 1, "width": 5, "learning_rate": 0.02, "steps": 10, "replicates": 1}
FRACTIONS = {"train": 0.6, "validation": 0.2, "test": 0.2}


def configure(root: Path, *, seed: int = 9001, **keys: Any) -> Paths:
    """Write params.yaml with these keys of its data block; what is not given has a value that suits `a,b,c`."""
    block = {"source": "file", "path": "t.csv", "targets": ["c"], "features": None, "fractions": FRACTIONS}
    block |= {"split_seed": 0, "standardise": True} | keys
    params = {"seed": seed, "dtype": "float64", "data": block, "tracking": TRACKING, "sweeps": {"small": SWEEP}}
    (root / "params.yaml").write_text(json.dumps(params), encoding="utf-8")
    return Paths(root)


def build(root: Path, **keys: Any) -> data.Dataset:
    paths = configure(root, **keys)
    return data.build(config.load(paths), paths)


def faults(root: Path, text: str | None = None, **keys: Any) -> list[str]:
    """The messages for the table `text` at t.csv."""
    if text is not None:
        (root / "t.csv").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        build(root, **keys)
    return str(error.value).splitlines()


def has(lines: Sequence[str], *parts: str) -> bool:
    """Whether one of the lines holds all the parts."""
    return any(all(part in line for part in parts) for line in lines)


def rows(n: int) -> str:
    """Lines for the columns a, b, c: whole numbers, all different."""
    return "".join(f"{i},{i + 1000},{i + 2000}\n" for i in range(n))


def assert_identical(first: data.Dataset, second: data.Dataset) -> None:
    assert (first.feature_names, first.target_names) == (second.feature_names, second.target_names)
    for name in ("x_scaling", "y_scaling", *data.SPLITS):
        for one, other in zip(vars(getattr(first, name)).values(), vars(getattr(second, name)).values(), strict=True):
            assert one.dtype == other.dtype == np.float64
            assert one.shape == other.shape
            assert one.tobytes() == other.tobytes()
    assert first.data_hash == second.data_hash


@pytest.fixture
def function(tmp_path: Path) -> data.Dataset:
    (tmp_path / "t.csv").write_text("a,b,c\n" + rows(10), encoding="utf-8")
    return build(tmp_path, source="function")


# ---- the function


def test_training_points_are_the_assignments(function: data.Dataset) -> None:
    np.random.seed(9001)
    expected = np.random.uniform(-np.pi, np.pi, (1000, 1))
    assert np.array_equal(function.train.x, expected)
    assert function.train.x[0, 0] == -2.56226016953088
    assert np.array_equal(function.train.y, np.sin(expected))


def test_best_straight_line_has_the_known_cost(function: data.Dataset) -> None:
    design = np.hstack([function.inputs(function.train), np.ones((1000, 1))])
    weights, *_ = np.linalg.lstsq(design, function.outputs(function.train))
    half_mse = np.mean((design @ weights - function.train.y) ** 2) / 2
    assert half_mse == pytest.approx(0.0967346963549225, rel=1e-12)


def test_function_splits_are_independent_and_cover_the_interval(function: data.Dataset) -> None:
    splits = [function.train, function.validation, function.test]
    assert len({float(x) for split in splits for x in split.x[:, 0]}) == 3000
    for split in splits:
        assert split.x.shape == split.y.shape == (1000, 1)
        assert np.array_equal(split.y, np.sin(split.x))
        assert np.all(np.abs(split.x) <= np.pi)
        assert np.histogram(split.x, bins=10, range=(-np.pi, np.pi))[0].min() > 60
    assert np.array_equal(function.grid.x[:, 0], np.linspace(-np.pi, np.pi, 250))
    assert np.array_equal(function.grid.y, np.sin(function.grid.x))


def test_function_is_not_standardised(function: data.Dataset) -> None:
    assert (function.feature_names, function.target_names) == (("x",), ("y",))
    assert np.array_equal(function.inputs(function.test), function.test.x)
    assert np.array_equal(function.predictions(function.test.y), function.test.y)


def test_seed_moves_every_function_split(tmp_path: Path, function: data.Dataset) -> None:
    other = build(tmp_path, source="function", seed=9002)
    for name in ("train", "validation", "test"):
        assert not np.any(getattr(other, name).x == getattr(function, name).x)


# ---- splits


@settings(max_examples=60, deadline=None)
@given(n=st.integers(10, 90), train=st.integers(20, 80), share=st.floats(0.2, 0.8), split_seed=st.integers(0, 99))
def test_splits_are_disjoint_and_complete(
    tmp_path_factory: pytest.TempPathFactory, n: int, train: int, share: float, split_seed: int
) -> None:
    root = tmp_path_factory.getbasetemp()
    (root / "t.csv").write_text("a,b,c\n" + rows(n), encoding="utf-8")
    validation = max(round((100 - train) * share), 1)
    fractions = {"train": train / 100, "validation": validation / 100, "test": (100 - train - validation) / 100}
    paths = configure(root, fractions=fractions, split_seed=split_seed)
    try:
        dataset = data.build(config.load(paths), paths)
    except ConfigError as error:
        assert str(error).startswith("params.yaml: data.fractions")
        assert n * min(fractions.values()) < 1
        return
    parts = {name: getattr(dataset, name).x[:, 0] for name in fractions}
    assert sorted(np.concatenate(list(parts.values()))) == list(range(n))
    for name, fraction in fractions.items():
        assert abs(len(parts[name]) - n * fraction) <= 1
        assert np.all(np.diff(parts[name]) > 0), "a split keeps the order of the file"


def test_split_depends_on_split_seed_alone(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b,c\n" + rows(50), encoding="utf-8")
    dataset = build(tmp_path)
    assert_identical(dataset, build(tmp_path, seed=1))
    assert dataset.train.x[:, 0].tolist() != build(tmp_path, split_seed=1).train.x[:, 0].tolist()


def test_rows_stay_together(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b,c\n" + rows(50), encoding="utf-8")
    dataset = build(tmp_path, targets=["c", "a"], features=["b"])
    for split in (dataset.train, dataset.validation, dataset.test):
        assert np.array_equal(split.x[:, 0] + 1000, split.y[:, 0])
        assert np.array_equal(split.x[:, 0] - 1000, split.y[:, 1])


# ---- standardisation


@given(arrays(np.float64, st.tuples(st.integers(2, 12), st.integers(1, 3)), elements=st.floats(-1e6, 1e6, width=32)))
def test_standardisation_is_undone(a: np.ndarray) -> None:
    scaling = data.Scaling.fit(a)
    error = np.abs(scaling.undo(scaling.apply(a)) - a)
    assert np.all(error <= 4 * np.finfo(float).eps * (np.abs(a) + np.abs(scaling.mean)))


def test_standardisation_is_fitted_on_the_training_split(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b,c\n" + rows(60), encoding="utf-8")
    dataset = build(tmp_path)
    for split, scaling in ((dataset.inputs, dataset.x_scaling), (dataset.outputs, dataset.y_scaling)):
        assert split(dataset.train).mean(axis=0) == pytest.approx(0, abs=1e-12)
        assert split(dataset.train).std(axis=0, ddof=0) == pytest.approx(1, rel=1e-12)
        assert abs(split(dataset.test).mean()) > 1e-3, "the test split must not be centred by itself"
        assert np.all(scaling.scale > 1)
    assert dataset.predictions(dataset.outputs(dataset.test)) == pytest.approx(dataset.test.y, rel=1e-15)


def test_constant_column_is_centred_and_not_scaled(tmp_path: Path) -> None:
    lines = "".join(f"0.1,{i},123456789012345680\n" for i in range(20))
    (tmp_path / "t.csv").write_text("a,b,c\n" + lines, encoding="utf-8")
    dataset = build(tmp_path)
    assert (dataset.x_scaling.mean[0], dataset.x_scaling.scale[0]) == (0.1, 1.0)
    assert np.all(dataset.inputs(dataset.test)[:, 0] == 0)
    assert np.all(dataset.outputs(dataset.test) == 0)


def test_standardise_false_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b,c\n" + rows(20), encoding="utf-8")
    dataset = build(tmp_path, standardise=False)
    assert np.array_equal(dataset.inputs(dataset.train), dataset.train.x)
    assert np.array_equal(dataset.outputs(dataset.train), dataset.train.y)


def test_grid_runs_along_the_first_feature(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b,c\n" + rows(40), encoding="utf-8")
    dataset = build(tmp_path, targets=["a"], features=["c", "b"])
    x = dataset.train.x
    assert np.array_equal(dataset.grid.x[:, 0], np.linspace(x[:, 0].min(), x[:, 0].max(), 250))
    assert np.all(dataset.grid.x[:, 1] == x[:, 1].mean())
    assert dataset.grid.y.shape == (250, 1)
    assert np.all(np.isnan(dataset.grid.y))


# ---- reading and writing


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


def test_save_and_load_keep_every_bit(tmp_path: Path, function: data.Dataset) -> None:
    data.save(function, Paths(tmp_path))
    assert_identical(function, data.load(Paths(tmp_path)))


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
    assert sorted(written[0]) == ["data.json", "grid.parquet", "test.parquet", "train.parquet", "validation.parquet"]


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
    assert dataset.predictions(dataset.outputs(dataset.test)) == pytest.approx(dataset.test.y, rel=1e-14)


def test_example_obeys_its_formulas() -> None:
    table = pd.read_csv(Path(__file__).parent.parent / "input" / "example.csv")
    assert table.columns.tolist() == ["speed_m_s", "angle_deg", "range_m", "height_m"]
    speed, angle = table["speed_m_s"], np.radians(table["angle_deg"])
    assert np.allclose(table["range_m"], speed**2 * np.sin(2 * angle) / 9.81, rtol=0, atol=0.6e-4)
    assert np.allclose(table["height_m"], speed**2 * np.sin(angle) ** 2 / (2 * 9.81), rtol=0, atol=0.6e-4)
    assert len(table) == 300


# ---- faults of cells


@pytest.mark.parametrize(
    ("cell", "found", "allowed"),
    [
        ("n/a", "'n/a'", "a number such as 3"),
        ("1_000", "'1_000'", "a number such as 3"),
        ('"3,5"', "'3,5'", "a number such as 3"),
        ("nan", "'nan'", "a number such as 3"),
        ("", "an empty cell", "fill the cell or remove the row"),
        ("  ", "an empty cell", "fill the cell or remove the row"),
        ("inf", "'inf'", "a finite number"),
        ("-1e999", "'-1e999'", "a finite number"),
        ("True", "'True'", "write 1 for true and 0 for false"),
        ("x" * 999, "'" + "x" * 98 + "…", "a number such as 3"),
    ],
)
def test_cell_that_is_no_finite_number(tmp_path: Path, cell: str, found: str, allowed: str) -> None:
    [line] = faults(tmp_path, f"a,b,c\n{rows(10)}7,{cell},9\n{rows(10)}")
    assert line.startswith("t.csv: column 'b', row 12:")
    assert found in line
    assert allowed in line


def test_rows_are_numbered_as_an_editor_does(tmp_path: Path) -> None:
    text = f'note,b,c\n"two\nlines",1,2\n\n{rows(9)}x,bad,3\n'
    [line] = faults(tmp_path, text, features=["b"])
    assert line.startswith("t.csv: column 'b', row 14:")


def test_all_bad_cells_are_told_together_ten_a_column(tmp_path: Path) -> None:
    lines = faults(tmp_path, "a,b,c\n" + "1,x,3\n" * 14 + ",2,3\n" + rows(10))
    assert [line.split(":")[1] for line in lines[1:]] == [f" column 'b', row {row}" for row in range(2, 12)] + [
        " column 'b'"
    ]
    assert has(lines[:1], "column 'a', row 16", "an empty cell")
    assert has(lines, "column 'b': ", "4 more such cells")


def test_columns_that_are_not_used_may_hold_anything(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b,c\n" + "1,red,3\n" * 20, encoding="utf-8")
    assert build(tmp_path, features=["a"]).feature_names == ("a",)


def test_parquet_cells(tmp_path: Path) -> None:
    table = {"a": [1.0, None, np.inf] * 7, "b": [True, False, None] * 7, "c": ["1", "high", "3"] * 7}
    pq.write_table(pa.table(table), tmp_path / "t.parquet")
    lines = faults(tmp_path, path="t.parquet")
    assert has(lines, "t.parquet: column 'a', row 2:", "an empty cell")
    assert has(lines, "t.parquet: column 'a', row 3:", "'inf'")
    assert has(lines, "t.parquet: column 'b', row 1:", "'True'")
    assert has(lines, "t.parquet: column 'c', row 2:", "'high'")
    assert not has(lines, "column 'c', row 1:")


# ---- faults of tables


@pytest.mark.parametrize("name", ["t.csv", "t.parquet"])
def test_missing_file(tmp_path: Path, name: str) -> None:
    (tmp_path / name.replace("t.", "tt.")).touch()
    [line] = faults(tmp_path, path=name)
    assert line.startswith("params.yaml: data.path:")
    assert f"'{name}'" in line


def test_folder_and_suffix(tmp_path: Path) -> None:
    (tmp_path / "t.csv").mkdir()
    (tmp_path / "t.xlsx").touch()
    assert has(faults(tmp_path), "data.path", "'t.csv', a folder")
    assert has(faults(tmp_path, path="t.xlsx"), "data.path", "'t.xlsx'", ".csv or .parquet")


@pytest.mark.parametrize("text", ["", "\n\n\n"])
def test_empty_file(tmp_path: Path, text: str) -> None:
    [line] = faults(tmp_path, text)
    assert line.startswith("t.csv: ")
    assert "an empty file" in line


def test_file_that_is_no_table(tmp_path: Path) -> None:
    assert has(faults(tmp_path, f'a,b,c\n{rows(3)}1,"2,3\n'), "t.csv: row 5:", "cannot be split into cells")
    assert has(faults(tmp_path, "a;b;c\n1;2;3\n"), "t.csv: row 1:", "separated by ';'", "commas")
    (tmp_path / "t.csv").write_bytes("a,b,größe\n1,2,3\n".encode("latin-1"))
    assert has(faults(tmp_path), "t.csv: ", "not UTF-8")
    (tmp_path / "t.parquet").write_text("a,b,c\n1,2,3\n", encoding="utf-8")
    assert has(faults(tmp_path, path="t.parquet"), "t.parquet: ", "cannot be read")


def test_rows_of_the_wrong_length(tmp_path: Path) -> None:
    lines = faults(tmp_path, f"a,b,c\n1,2\n{rows(10)}1,2,3,4\n1,x,3\n")
    assert has(lines, "t.csv: row 2:", "2 cells", "allowed: 3, one for each column name")
    assert has(lines, "t.csv: row 13:", "4 cells", "allowed: 3")
    assert has(lines, "t.csv: column 'b', row 14:", "'x'")
    assert len(lines) == 3


def test_missing_columns_are_named_with_what_there_is(tmp_path: Path) -> None:
    text = "speed,angle,range\n" + rows(10)
    lines = faults(tmp_path, text, targets=["rnage"], features=["speed", "wind"])
    assert has(lines, "data.targets[0]:", "'rnage'", "speed, angle, range", "did you mean 'range'?")
    assert has(lines, "data.features[1]:", "'wind'", "speed, angle, range")
    assert len(lines) == 2


def test_rows_of_the_wrong_length_are_counted_past_ten(tmp_path: Path) -> None:
    lines = faults(tmp_path, "a,b,c\n" + "1\n" * 25)
    assert [line.split(" found ")[0] for line in lines[:10]] == [f"t.csv: row {row}:" for row in range(2, 12)]
    assert lines[10].startswith("t.csv: found 15 more such rows;")
    assert len(lines) == 11


def test_file_that_no_key_names(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^t\.csv: found 't\.csv', which does not exist; allowed: an existing file$"):
        tables.read(tmp_path, "t.csv", "")
    (tmp_path / "t.csv").write_text("speed\n1\n", encoding="utf-8")
    [fault] = tables.read(tmp_path, "t.csv", "").missing("", ["sped"])
    assert str(fault) == "t.csv: found no column 'sped'; allowed: a column of t.csv: speed; did you mean 'speed'?"


def test_names_that_are_missing_or_doubled(tmp_path: Path) -> None:
    lines = faults(tmp_path, "a,,a,c\n" + "1,2,3,4\n" * 10)
    assert has(lines, "t.csv: column 2:", "no name")
    assert has(lines, "t.csv: column 'a':", "2 columns of this name")
    assert len(lines) == 2


def test_targets_and_features_must_differ(tmp_path: Path) -> None:
    assert has(faults(tmp_path, "a,b,c\n" + rows(10), features=["a", "c"]), "data.features", "'c'", "targets")
    assert has(faults(tmp_path, targets=["a", "b", "c"]), "data.targets", "every column of t.csv")


@pytest.mark.parametrize(("n", "found"), [(0, "0 rows"), (2, "2 rows"), (3, "3 rows: 2 to train on, 0 to validate")])
def test_too_few_rows_for_the_split(tmp_path: Path, n: int, found: str) -> None:
    [line] = faults(tmp_path, "a,b,c\n" + rows(n))
    assert line.startswith("params.yaml: data.fractions:")
    assert found in line


def test_numbers_beyond_standardisation(tmp_path: Path) -> None:
    lines = faults(tmp_path, "a,b,c\n" + "".join(f"{i}e200,{i}e-200,{i}\n" for i in range(1, 21)))
    assert has(lines, "t.csv: column 'a':", "standard deviation", "change the unit")
    assert has(lines, "t.csv: column 'b':", "standard deviation", "change the unit")
    assert len(lines) == 2
    assert build(tmp_path, standardise=False).n_features == 2
