"""Columns of any kind become inputs, the same ones again from a file, and nothing but training rows has a say in it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shoal.pipeline.preparation import BOOLEAN, CATEGORY, NUMBER, Blanks, Column, Preparation, truth

CELLS: dict[str, st.SearchStrategy[Any]] = {
    NUMBER: st.one_of(st.just(np.nan), st.floats(-1e9, 1e9, allow_subnormal=False)),
    BOOLEAN: st.sampled_from([True, False, None]),
    CATEGORY: st.sampled_from([None, "a", "b", "ä", "0", "a missing", "x=y", "\n"]),
}


@st.composite
def tables(draw: st.DrawFn) -> tuple[Preparation, dict[str, list[Any]]]:
    """A preparation that is fitted to the first half of its cells, each column with a value there."""
    kinds, half = draw(st.lists(st.sampled_from([NUMBER, BOOLEAN, CATEGORY]), min_size=1, max_size=4)), 4
    columns, cells = [], {}
    for i, kind in enumerate(kinds):
        values = draw(st.lists(CELLS[kind], min_size=2 * half, max_size=2 * half))
        values[0] = {NUMBER: 1.5, BOOLEAN: True, CATEGORY: "a"}[kind]
        cells[f"c{i}"] = values
        columns.append(Column(f"c{i}", kind, takes_missing=True).fitted(values[:half]))
    return Preparation(tuple(columns), ("-", -99)), cells


@settings(max_examples=40)
@given(tables())
def test_a_preparation_comes_back_from_json_and_gives_the_same_bits(table: tuple[Preparation, dict[str, Any]]) -> None:
    preparation, cells = table
    names = {"feature_names": preparation.names}
    again = Preparation.from_json(json.loads(json.dumps(names | preparation.to_json(), allow_nan=False)))
    assert again == preparation
    x = preparation.matrix(cells)
    assert (x.shape, x.dtype) == ((8, len(preparation.inputs)), np.float64)
    assert np.isfinite(x).all()
    assert again.matrix(cells).tobytes() == x.tobytes()


@settings(max_examples=40)
@given(tables())
def test_each_input_is_what_its_name_says(table: tuple[Preparation, dict[str, Any]]) -> None:
    preparation, cells = table
    x = dict(zip(preparation.inputs, preparation.matrix(cells).T, strict=True))
    for column in preparation.columns:
        values = cells[column.name]
        missing = np.array([value is None or value != value for value in values])
        assert column.is_told == missing[:4].any()
        if column.is_told:
            assert x[f"{column.name} missing"].tolist() == missing.tolist()
        if column.kind == CATEGORY:
            assert list(column.levels) == sorted({value for value in values[:4] if value is not None})
            for level in column.levels:
                assert x[f"{column.name}={level}"].tolist() == [value == level for value in values]
        else:
            numbers = np.array(values, dtype=np.float64)
            median = np.median(numbers[:4][~missing[:4]])
            assert x[column.name].tolist() == np.where(missing, median, numbers).tolist()


@settings(max_examples=40)
@given(tables(), st.permutations(range(4)))
def test_rows_are_prepared_one_by_one(table: tuple[Preparation, dict[str, Any]], order: list[int]) -> None:
    preparation, cells = table
    some = {name: [values[i] for i in order] for name, values in cells.items()}
    assert preparation.matrix(some).tobytes() == preparation.matrix(cells)[order].tobytes()


def test_numbers_alone_leave_nothing_in_a_file() -> None:
    plain = Preparation.of_numbers(["a", "b"])
    assert plain.to_json() == {}
    assert Preparation.from_json({"feature_names": ["a", "b"]}) == plain
    assert plain.matrix({"b": [3, 4], "a": [1, 2]}).tolist() == [[1, 3], [2, 4]]
    assert not Preparation(plain.columns, ("-99",)).is_plain, "what stands for no value has to be known"


def test_numbers_alone_are_standardised() -> None:
    """An indicator of one row in a thousand would be 32 there, and a level without an input not 0."""
    columns = (
        Column("a", takes_missing=True).fitted([1.0, np.nan]),
        Column("b", BOOLEAN).fitted([True, False]),
        Column("c", CATEGORY).fitted(["x", "y"]),
    )
    preparation = Preparation(columns)
    assert preparation.inputs == ("a", "a missing", "b", "c=x", "c=y")
    assert preparation.is_scaled.tolist() == [True, False, False, False, False]
    assert preparation.places == {"a": 0, "b": 2}


def test_what_no_training_row_had_is_told_in_a_line_a_column() -> None:
    columns = (
        Column("age", takes_missing=True).fitted([30.0, 50.0]),
        Column("colour", CATEGORY, takes_missing=True).fitted(["red", "red"]),
        Column("size").fitted([1.0, 2.0]),
    )
    cells = {"age": [np.nan, 1.0, 2.0, 3.0], "colour": ["teal", None, "teal", "blue"], "size": [9.0, 9.0, 9.0, 9.0]}
    preparation = Preparation(columns)
    assert preparation.matrix(cells).tolist() == [[40, 0, 9], [1, 0, 9], [2, 0, 9], [3, 0, 9]]
    assert preparation.remarks(cells) == [
        ("age", "1 missing cell, as no training row has, taken as the median 40"),
        (
            "colour",
            "3 cells of levels that no training row has, 'blue' (1), 'teal' (2), taken as none of its levels",
        ),
        ("colour", "1 missing cell, as no training row has, taken as none of its levels"),
    ]


def test_missing_cells_are_refused_where_none_may_be() -> None:
    with pytest.raises(ValueError, match="column 'a': found no value in row 2"):
        Preparation.of_numbers(["a"]).matrix({"a": [1.0, np.nan]})
    with pytest.raises(ValueError, match="column 'b': found no value in the rows to train on"):
        Column("b", CATEGORY, takes_missing=True).fitted([None, None])


@pytest.mark.parametrize(
    ("cell", "number", "is_missing"),
    [
        *((cell, np.nan, True) for cell in ("", " NA ", "?", "none", None, np.nan)),
        *((cell, -99.0, True) for cell in ("-99.0", -99)),
        ("0", 0.0, False),
        ("Na", np.nan, False),
    ],
)
def test_what_stands_for_no_value(cell: object, number: float, is_missing: bool) -> None:
    assert Blanks.of(("none", -99)).missing([cell], np.array([number])).tolist() == [is_missing]


def test_a_median_is_finite() -> None:
    assert Column("a", takes_missing=True).fitted([1e308, 1.5e308]).median == 1.25e308


def test_true_and_false() -> None:
    assert [truth(cell) for cell in (True, "TRUE", " true", np.True_, 1, 1.0, "1")] == [True] * 7
    assert [truth(cell) for cell in (False, "False", 0, "0")] == [False] * 4
    assert [truth(cell) for cell in ("yes", 2, None, np.nan, "")] == [None] * 5
