"""Text files as programs of several countries write them: read right, or refused in one line."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from shoal.pipeline.config import ConfigError
from shoal.pipeline.data import readers
from shoal.pipeline.data.dialect import PLAIN, Dialect
from shoal.pipeline.data.user_table import UserTable
from tests.datasets import build, configure, faults, has

SPEEDS, FORCES = [0.5, -1.25, 1234.5, 7.0], [1.0, 2.0, 3.5, -4.25]


def read(folder: Path, content: str | bytes, given: Dialect = PLAIN, name: str = "t.csv") -> UserTable:
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return readers.read(folder, name, "", given)


def rows(separator: str, decimal: str = ".", form: str = "{}") -> str:
    pairs = zip(SPEEDS, FORCES, strict=True)
    texts = [separator.join(form.format(f"{value!r}".replace(".", decimal)) for value in pair) for pair in pairs]
    return "\n".join(texts) + "\n"


FORMS = {
    "commas": "speed,force\n" + rows(","),
    "semicolons": "speed;force\n" + rows(";"),
    "semicolons and decimal commas": "speed;force\n" + rows(";", ","),
    "tabs and decimal commas": "speed\tforce\n" + rows("\t", ","),
    "bars": "speed|force\n" + rows("|"),
    "one blank": "speed force\n" + rows(" "),
    "blanks in columns": "   speed     force  \n" + rows("    ", form="  {:>7}"),
    "quoted cells": '"speed","force"\n' + rows(",", form='"{}"'),
    "quoted decimal commas": '"speed","force"\n' + rows(",", ",", form='"{}"'),
    "blanks around quotes": '"speed" , "force"\n' + rows(" , ", form='"{}"'),
    "line ends of Windows": ("speed,force\n" + rows(",")).replace("\n", "\r\n"),
    "a mark of UTF-8": "\ufeffspeed,force\n" + rows(","),
    "separators behind the last column": "speed,force,,\n" + rows(",").replace("\n", ",,\n") + ",,,\n",
    "a title": "Measured on the first day\n\nspeed,force\n" + rows(","),
    "a title with separators behind it": "Measured,,\nspeed,force,\n" + rows(",").replace("\n", ",\n"),
    "a title of two cells per line": "device;XR\nserial;7\nspeed;force;note\n" + rows(";").replace("\n", ";ok\n"),
    "a typographer's minus": "speed,force\n" + rows(",").replace("-", "\u2212"),
    "thousands": 'speed,force\n0.5,1\n-1.25,2\n"1,234.5",3.5\n7,-4.25\n',
    "thousands with apostrophes": "speed;force\n0.5;1\n-1.25;2\n1'234.5;3.5\n7;-4.25\n",
    "thousands with narrow blanks": "speed;force\n0,5;1\n-1,25;2\n1\u202f234,5;3,5\n7;-4,25\n",
    "thousands with points": "speed;force\n0,5;1\n-1,25;2\n1.234,5;3,5\n7;-4,25\n",
}


@pytest.mark.parametrize("form", FORMS)
def test_a_table_is_read_right(tmp_path: Path, form: str) -> None:
    table = read(tmp_path, FORMS[form])
    assert table.columns[:2] == ["speed", "force"]
    values, bad = table.numbers(["speed", "force"])
    assert not table.faults
    assert not bad
    np.testing.assert_array_equal(values, np.transpose([SPEEDS, FORCES]))


@pytest.mark.parametrize("others", [["y", "index"], ["y", "x"]])
def test_a_first_column_without_a_name_gets_one(tmp_path: Path, others: list[str]) -> None:
    table = read(tmp_path, f",{','.join(others)}\n0,1.5,2\n1,2.5,3\n")
    name = "index_" if "index" in others else "index"
    assert (table.columns, table.faults, list(table.index)) == ([name, *others], [], [name])
    assert table.content.column_names == ["", *others]
    assert table.numbers([name])[0][:, 0].tolist() == [0, 1]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_an_encoding_is_found_by_its_mark(tmp_path: Path, encoding: str) -> None:
    table = read(tmp_path, "größe,y\n1,2\n3,4\n".encode(encoding))
    assert table.columns == ["größe", "y"]


def test_another_encoding_is_given(tmp_path: Path) -> None:
    content = "größe,y\n1,2\n".encode("latin-1")
    with pytest.raises(ConfigError, match=r"row 1: found bytes that are not UTF-8 .* data.encoding"):
        read(tmp_path, content)
    assert read(tmp_path, content, Dialect(encoding="latin-1")).columns == ["größe", "y"]
    with pytest.raises(ConfigError, match=r"encoding 'latin-99'"):
        read(tmp_path, content, Dialect(encoding="latin-99"))


def test_a_packed_file_is_read(tmp_path: Path) -> None:
    assert read(tmp_path, gzip.compress(b"a;b\n1,5;2\n"), name="t.csv.gz").numbers(["a"])[0].tolist() == [[1.5]]
    with pytest.raises(ConfigError, match=r"^t\.csv\.gz: found a file that cannot be read"):
        read(tmp_path, b"a;b\n1,5;2\n", name="t.csv.gz")


def test_rows_of_a_table_below_a_title_keep_their_numbers_and_the_title_is_told(tmp_path: Path) -> None:
    table = read(tmp_path, "Measured\n\nspeed,force\n1,2\n3,4\n")
    assert list(table.rows) == [4, 5]
    assert [str(notice) for notice in table.notices] == [
        "warning: t.csv: row 3: 1 line above the names of the columns is left out; if this is wrong, say "
        "data.header_row"
    ]


def test_a_table_without_names_gets_some_and_that_is_told(tmp_path: Path) -> None:
    table = read(tmp_path, "1,2\n3,4\n5,6\n")
    assert table.columns == ["c1", "c2"]
    assert table.numbers(["c1"])[0].ravel().tolist() == [1, 3, 5]
    assert has(list(map(str, table.notices)), "row 1", "c1, c2, ...", "data.header_row")
    named = read(tmp_path, "2019,2020\n3,4\n5,6\n", Dialect(header_row=1))
    assert (named.columns, named.notices) == (["2019", "2020"], ())
    [odd] = read(tmp_path, "0.5,Bern\n3,Zug\n5,Zug\n").notices
    assert has([str(odd)], "row 1: a column is called 0.5; if these are no names, say data.header_row: none")
    below = read(tmp_path, "x,y\n3,4\n5,6\n", Dialect(header_row="none"))
    assert below.columns == ["c1", "c2"]
    assert len(below.rows) == 3


def test_what_is_given_is_not_looked_for(tmp_path: Path) -> None:
    given = Dialect(separator=";", decimal=",", header_row=2)
    table = read(tmp_path, "a,b;c\nx;y\n1,5;2\n", given)
    assert table.columns == ["x", "y"]
    assert table.numbers(["x"])[0].tolist() == [[1.5]]
    with pytest.raises(ConfigError, match=r"row 9: found no record that begins there"):
        read(tmp_path, "a;b\n1;2\n", Dialect(header_row=9))


def test_numbers_of_which_nobody_knows_are_asked_for(tmp_path: Path) -> None:
    text = "a;b\n1,234;1\n5,678;2\n"
    with pytest.raises(ConfigError, match=r"numbers such as 1,234 alone.*data\.decimal"):
        read(tmp_path, text)
    assert read(tmp_path, text, Dialect(decimal=".")).numbers(["a"])[0].ravel().tolist() == [1234, 5678]
    assert read(tmp_path, text, Dialect(decimal=",")).numbers(["a"])[0].ravel().tolist() == [1.234, 5.678]
    with pytest.raises(ConfigError, match=r"a decimal point and others with a decimal comma"):
        read(tmp_path, "a;b\n1,5;1.5\n2,5;2.5\n")


def test_a_row_too_short_is_no_title_and_a_cell_of_text_no_separator(tmp_path: Path) -> None:
    table = read(tmp_path, "a,b,c\n1,2,x; y\n3,4,z; w\n5,6\n")
    assert table.columns == ["a", "b", "c"]
    assert [str(fault) for fault in table.faults] == [
        "t.csv: row 4: found 2 cells; allowed: 3, one for each column name; a cell with a separator in it needs quotes"
    ]
    assert read(tmp_path, "name,b\nJohn Smith,3\nAnn Lee,4\n").columns == ["name", "b"]
    assert has(list(map(str, read(tmp_path, "a,b\n1,2,3\n4,5,6\n").faults)), "row 2", "3 cells", "allowed: 2")
    assert has(list(map(str, read(tmp_path, "a,b,\n1,2,3\n").faults)), "column 3", "no name")


def test_a_nul_character_and_an_open_quote_are_told_with_their_row(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^t\.csv: row 2: found a NUL character"):
        read(tmp_path, "a,b\n1,\0\n")
    with pytest.raises(ConfigError, match=r"^t\.csv: row 3: found text that cannot be split into cells.*allowed: sem"):
        read(tmp_path, 'a;b\n1;2\n1;"2\n')


def test_keys_of_params_yaml_reach_the_reader(tmp_path: Path) -> None:
    text = "units\nx;y\n" + "".join(f"{i},5;{2 * i}.000\n" for i in range(1, 30))
    (tmp_path / "t.csv").write_text(text)
    dataset = build(tmp_path, targets=["y"], separator=";", decimal=",", thousands=".", header_row=2)
    assert set(dataset.train.y.ravel()) <= {2000.0 * i for i in range(30)}
    assert has(faults(tmp_path, targets=["y"], separator="::"), "data.separator", "'::'", "';'")


def test_columns_are_left_out_by_name(tmp_path: Path) -> None:
    text = "id,name,x,y\n" + "".join(f"{i},n{i},{i % 7},{i % 5}\n" for i in range(30))
    lines = faults(tmp_path, text, targets=["y"])
    assert lines[-1] == "params.yaml: data.features: found columns of text; allowed: ignore: [name]"
    assert build(tmp_path, targets=["y"], ignore=["id", "name"]).feature_names == ("x",)
    assert has(faults(tmp_path, targets=["y"], ignore=["nam"]), "data.ignore[0]", "did you mean 'name'?")


def test_many_columns_of_text_are_told_in_nine_lines_and_one_to_paste(tmp_path: Path) -> None:
    names = [f"t{i}" for i in range(40)]
    body = "".join(",".join([f"red{i}"] * 40) + f",{i},{i}\n" for i in range(30))
    lines = faults(tmp_path, ",".join([*names, "x", "y"]) + "\n" + body, targets=["y"])
    assert len(lines) == 10
    assert has(lines, "found 32 more such columns")
    assert lines[-1].endswith("allowed: features: [x]")
    assert configure(tmp_path).params.exists()
