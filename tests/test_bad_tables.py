"""What is said of tables that cannot be used."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shoal.pipeline.config import ConfigError
from shoal.pipeline.data import readers
from tests.datasets import build, faults, has, rows


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


def test_all_bad_cells_are_told_together_in_a_line_a_column(tmp_path: Path) -> None:
    lines = faults(tmp_path, "a,b,c\n" + "1,x,3\n" * 4 + ",2,3\n1,,2\n" + rows(10))
    assert [line.split("; allowed: ")[0] for line in lines] == [
        "t.csv: column 'a', row 6: found an empty cell",
        "t.csv: column 'b', row 2: found 'x' (and 4 more of the column that are no finite number)",
    ]


def test_columns_that_are_not_used_may_hold_anything(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b,c\n" + "1,red,3\n" * 20, encoding="utf-8")
    assert build(tmp_path, features=["a"]).feature_names == ("a",)


def test_parquet_cells(tmp_path: Path) -> None:
    table = {"a": [1.0, None, np.inf] * 7, "b": [True, False, None] * 7, "c": ["1", "high", "3"] * 7}
    pq.write_table(pa.table(table), tmp_path / "t.parquet")
    lines = faults(tmp_path, path="t.parquet")
    assert has(lines, "t.parquet: column 'a', row 2:", "an empty cell (and 13 more of")
    assert has(
        lines,
        "t.parquet: column 'b', row 3:",
        "an empty cell (and 6 more of the column that are neither true nor false)",
    )
    assert has(lines, "t.parquet: column 'c', row 2:", "'high' (and 6 more of")
    assert len(lines) == 3


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
    assert has(faults(tmp_path, path="t.xlsx"), "data.path", "'t.xlsx'", ".csv.gz", ".parquet")


@pytest.mark.parametrize("text", ["", "\n\n\n"])
def test_empty_file(tmp_path: Path, text: str) -> None:
    [line] = faults(tmp_path, text)
    assert line.startswith("t.csv: ")
    assert "an empty file" in line


def test_file_that_is_no_table(tmp_path: Path) -> None:
    assert has(faults(tmp_path, f'a,b,c\n{rows(3)}1,"2,3\n'), "t.csv: row 5:", "cannot be split into cells")
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


def test_rows_of_the_wrong_length_are_counted_past_eight(tmp_path: Path) -> None:
    lines = faults(tmp_path, "a,b,c\n" + "1\n" * 25)
    assert [line.split(" found ")[0] for line in lines[:8]] == [f"t.csv: row {row}:" for row in range(2, 10)]
    assert lines[8].startswith("t.csv: found 17 more such rows;")
    assert len(lines) == 9


def test_file_that_no_key_names(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^t\.csv: found 't\.csv', which does not exist; allowed: an existing file$"):
        readers.read(tmp_path, "t.csv", "")
    (tmp_path / "t.csv").write_text("speed\n1\n", encoding="utf-8")
    [fault] = readers.read(tmp_path, "t.csv", "").missing("", ["sped"])
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
