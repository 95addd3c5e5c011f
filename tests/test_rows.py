"""Row numbers: predictions of the test split can be joined to the table that they are for."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from shoal.pipeline import store
from shoal.pipeline.paths import Paths
from tests import studies


def own_table(root: Path, names: list[str], edit: Callable[[int, str], str] = lambda i, line: line) -> pd.DataFrame:
    """A study of the last of these columns, and its table of 50 rows."""
    values = np.random.default_rng(1).normal(size=(50, len(names))).round(3)
    lines = [",".join(map(str, row)) for row in values.tolist()]
    text = "\n".join([",".join(names), *(edit(i, line) for i, line in enumerate(lines))])
    (root / "own.csv").write_text(text + "\n", encoding="utf-8")
    studies.complete(root, {"own": studies.RIDGE}, source="file", path="own.csv", targets=names[-1:])
    return pd.DataFrame(values, columns=names)


def test_test_predictions_are_joined_to_the_table_by_row(tmp_path: Path) -> None:
    """`row` counts data rows: neither the header nor blank lines."""
    table = own_table(tmp_path, ["a", "b", "y"], lambda i, line: "\n" * (i % 3) + line)
    predicted = pd.read_csv(Paths(tmp_path).test_predictions)
    assert list(predicted) == ["row", "a", "b", "y", "y_predicted"]
    assert predicted["row"].dtype == np.int64
    own = table.iloc[predicted["row"] - 1].reset_index(drop=True)
    pd.testing.assert_frame_equal(predicted[["a", "b", "y"]], own)
    cells = store.read_table(Paths(tmp_path).all_cells)
    assert list(cells["row"]) == list(predicted["row"]) * cells["cell"].nunique()
    assert list(cells["y"]) == list(table["y"].iloc[cells["row"] - 1])
    rows = store.read_table(tmp_path / "data" / "rows.parquet")
    parts = rows[rows["split"] != "grid"]
    assert sorted(parts["row"]) == list(range(1, 51))
    assert parts["split"].value_counts().to_dict() == {"train": 30, "validation": 10, "test": 10}


def test_no_two_columns_of_the_test_predictions_have_one_name(tmp_path: Path) -> None:
    table = own_table(tmp_path, ["row", "y_predicted", "shoal_row", "y"])
    with Paths(tmp_path).test_predictions.open(encoding="utf-8") as file:
        header = next(csv.reader(file))
    assert header == ["shoal_shoal_row", *table, "shoal_shoal_y_predicted"]
    predicted = pd.read_csv(Paths(tmp_path).test_predictions)
    own = table.iloc[predicted["shoal_shoal_row"] - 1].reset_index(drop=True)
    pd.testing.assert_frame_equal(predicted[list(table)], own)


def test_rows_of_the_functions_test_set_are_its_samples(tmp_path: Path) -> None:
    paths = studies.complete(tmp_path, {"own": studies.RIDGE})
    assert list(pd.read_csv(paths.test_predictions)["row"]) == list(range(1, 1001))
