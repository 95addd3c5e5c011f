"""Tables of text, true and false, names of rows and missing cells: what is made of them, and what is said."""

from __future__ import annotations

import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shoal.pipeline import data
from shoal.pipeline.paths import Paths
from shoal.pipeline.stages import data as stage
from tests.datasets import MIXED, assert_identical, build, configure, faults, has, houses, written

# ---- what is made of columns


def test_columns_become_inputs_and_come_back_from_files(tmp_path: Path) -> None:
    dataset = build(written(tmp_path, houses()), **MIXED)
    assert dataset.feature_names == ("kind", "garden", "rooms")
    levels = ("kind=flat", "kind=house", "kind=hut", "kind missing")
    assert dataset.preparation.inputs == (*levels, "garden", "rooms", "rooms missing")
    assert dataset.notices == ()
    stage.run(configure(tmp_path, **MIXED))
    assert_identical(dataset, data.load(Paths(tmp_path)))
    row = dataset.train.rows[0] - 1
    assert dataset.train.ids["name"][0] == f"h{row:03d}"
    inputs = dataset.inputs(dataset.train)
    assert inputs[:, 5].mean() == pytest.approx(0, abs=1e-12)
    assert set(np.delete(inputs, 5, axis=1).ravel()) == {0, 1}


@pytest.mark.parametrize("spoilt", [{"rooms": "1000"}, {"rooms": "NA"}, {"kind": "castle"}, {"garden": "NA"}])
def test_validation_and_test_rows_change_nothing_that_is_fitted(tmp_path: Path, spoilt: dict[str, str]) -> None:
    table = houses()
    honest = build(written(tmp_path, table), **MIXED)
    for split in (honest.validation, honest.test):
        for column, cell in spoilt.items():
            table.loc[split.rows - 1, column] = cell
    leaking = build(written(tmp_path, table), **MIXED)
    assert leaking.preparation == honest.preparation
    assert leaking.x_scaling.to_json() == honest.x_scaling.to_json()
    assert leaking.data_hash == honest.data_hash
    assert leaking.inputs(leaking.test).tobytes() != honest.inputs(honest.test).tobytes()


def test_a_parquet_file_has_its_own_true_and_false(tmp_path: Path) -> None:
    cells = {"a": [True, None, False] * 10, "b": pa.array(["x", "y", "x"] * 10).dictionary_encode()}
    pq.write_table(pa.table(cells | {"c": np.arange(30.0)}), tmp_path / "t.parquet")
    dataset = build(tmp_path, path="t.parquet", missing={"numbers": "median"})
    assert dataset.preparation.inputs == ("a", "a missing", "b=x", "b=y")


def test_the_last_column_of_a_table_without_names_is_a_target(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("".join(f"{i},{i % 7},{i % 5}\n" for i in range(30)), encoding="utf-8")
    dataset = build(tmp_path, targets=["last"])
    assert (dataset.feature_names, dataset.target_names) == (("c1", "c2"), ("c3",))
    assert has([str(notice) for notice in dataset.notices], "numbers alone", "c1, c2, ...")
    assert has(faults(tmp_path, "a,b\n1,2\n", targets=["last"]), "data.targets[0]: found 'last'; allowed: a column")


# ---- what is said


def test_what_is_missing_is_told_in_a_line_a_column_with_a_way_out(tmp_path: Path) -> None:
    lines = faults(written(tmp_path, houses()), **MIXED | {"missing": {}})
    assert lines == [
        "t.csv: column 'kind', row 7: found '?' (and 5 more of the column that are no text); allowed: text; fill the "
        "cell or remove the row, or make a level of it: missing: {categories: own} below data",
        "t.csv: column 'rooms', row 2: found 'NA' (and 5 more of the column that are no finite number); allowed: a "
        "number such as 3; fill the cell or remove the row, or count it as the median: missing: {numbers: median} "
        "below data",
    ]


def test_a_missing_target_is_a_fault_always(tmp_path: Path) -> None:
    table = houses()
    table.loc[3, "price"] = "-99"
    [line] = faults(written(tmp_path, table), **MIXED, missing_values=[-99])
    assert line == ("t.csv: column 'price', row 5: found '-99'; allowed: a number; fill the cell or remove the row")


def test_what_stands_for_missing_may_be_named(tmp_path: Path) -> None:
    table = houses().replace({"NA": "-99", "?": "none"})
    dataset = build(written(tmp_path, table), **MIXED, missing_values=[-99, "none"])
    assert dataset.preparation.columns == build(written(tmp_path, houses()), **MIXED).preparation.columns


def test_free_text_and_dates_are_told_with_a_way_out(tmp_path: Path) -> None:
    table = houses().assign(sold=[f"2024-01-{1 + i % 28:02d}" for i in range(60)])
    lines = faults(written(tmp_path, table), **MIXED | {"id": None})
    assert lines == [
        "t.csv: column 'name': found text, 36 different values in 36 rows to train on; allowed: up to 18 as "
        "categories; ignore: [name], or where it names rows, id: [name]",
        "t.csv: column 'sold': found dates such as '2024-01-01'; allowed: numbers made of them, such as the year, or "
        "the days since the first; or ignore: [sold]",
        "params.yaml: data.features: found columns of text; allowed: ignore: [name, sold]",
    ]


@pytest.mark.parametrize("day", ["31.1.2024", "1/31/24", "2024-01-31T10:00:00Z", "2024/1/31 10:00", "10:30"])
def test_dates_as_people_write_them(tmp_path: Path, day: str) -> None:
    text = "a,b,c\n" + "".join(f"{day},{i % 7},{i % 5}\n" for i in range(30))
    assert has(faults(tmp_path, text), "column 'a': found dates such as")


def test_dates_of_a_parquet_file(tmp_path: Path) -> None:
    days = [datetime.date(2024, 1, 1 + i) for i in range(30)]
    pq.write_table(pa.table({"a": days, "b": np.arange(30) % 7, "c": np.arange(30) % 5}), tmp_path / "t.parquet")
    assert has(faults(tmp_path, path="t.parquet"), "column 'a': found dates such as '2024-01-01'")


def test_a_column_without_a_value_in_training_is_no_feature(tmp_path: Path) -> None:
    lines = faults(written(tmp_path, houses().assign(empty="")), **MIXED)
    assert has(lines, "column 'empty': found no value in the rows to train on", "ignore: [empty]")


def test_keys_that_do_not_go_together(tmp_path: Path) -> None:
    written(tmp_path, houses())
    assert has(faults(tmp_path, **MIXED | {"id": "price"}), "data.id", "not among the targets and features")
    assert has(faults(tmp_path, **MIXED | {"id": ["nam"]}), "data.id[0]: found 'nam'", "did you mean 'name'?")
    values = {"missing_values": ["none", True]}
    found = "params.yaml: data.missing_values[1]: found true; allowed: null, or a list of text and numbers"
    assert faults(tmp_path, **MIXED | values) == [found]
    assert has(faults(tmp_path, **MIXED | {"missing": {"numbers": "mean"}}), "data.missing.numbers", "null, median")


def test_what_only_other_rows_have_is_a_notice(tmp_path: Path) -> None:
    table = houses()
    row = build(written(tmp_path, table), **MIXED).test.rows[0]
    table.loc[row - 1, ["kind", "garden"]] = ["castle", "NA"]
    told = [str(notice) for notice in build(written(tmp_path, table.assign(one="same")), **MIXED).notices]
    assert has(told, "t.csv: column 'one': has one level in the rows to train on (one=same)")
    assert has(told, "column 'kind': 1 cell of levels that no training row has, 'castle' (1)", "data.split_seed")
    assert has(told, "column 'garden': 1 missing cell, as no training row has")
