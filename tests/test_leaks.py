"""Nothing of the rows to test on gets into what is fitted: the answer itself, hidden there, changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from shoal.pipeline import store
from shoal.pipeline.data import Dataset, load
from shoal.pipeline.paths import Paths
from tests import studies

SWEEPS = {"ridge": studies.RIDGE | {"activation": ["relu", "tanh"]}}
KEYS: dict[str, Any] = {"source": "file", "targets": ["y"], "missing": {"numbers": "median", "categories": "own"}}


def table() -> pd.DataFrame:
    """Numbers with gaps, and a category, that are noise, beside a feature that says something."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=120)
    noise = np.where(rng.random(120) < 0.2, np.nan, rng.normal(size=120))
    kind = rng.choice(["a", "b", "c"], 120)
    return pd.DataFrame(
        {"when": np.arange(120), "who": np.arange(120) % 24, "x": x, "noise": noise, "kind": kind}
    ).assign(y=x + rng.normal(size=120) / 4)


def run(root: Path, rows: pd.DataFrame, splits: dict[str, str]) -> tuple[Paths, Dataset]:
    root.mkdir()
    paths = studies.write(root, SWEEPS, **KEYS, splits=splits, ignore=["who", "when"])
    rows.to_csv(root / "input" / "example.csv", index=False)
    studies.complete_written(paths, SWEEPS)
    return paths, load(paths)


@pytest.mark.parametrize(
    "splits", [{"kind": "random"}, {"kind": "ordered", "column": "when"}, {"kind": "group", "column": "who"}], ids=str
)
def test_the_answer_in_the_test_rows_changes_nothing(tmp_path: Path, splits: dict[str, str]) -> None:
    rows = table()
    before, plain = run(tmp_path / "before", rows, splits)
    test = plain.test.rows - 1
    leaked = rows.astype({"kind": object})
    leaked.loc[test, "noise"] = 1e6 * rows.loc[test, "y"]
    leaked.loc[test, "kind"] = np.where(rows.loc[test, "y"] > 0, "above", "below")
    after, hidden = run(tmp_path / "after", leaked, splits)
    np.testing.assert_array_equal(hidden.test.rows - 1, test)
    for file in ("data/data.json", "data/train.parquet", "data/validation.parquet"):
        assert (before.root / file).read_bytes() == (after.root / file).read_bytes()
    assert hidden.data_hash == plain.data_hash
    for paths_of in (Paths.weights, Paths.runs):
        assert paths_of(before, "ridge").read_bytes() == paths_of(after, "ridge").read_bytes()
    old, new = (store.read_json(paths.chosen) for paths in (before, after))
    assert {name: old[name] for name in ("network_id", "cell", "validation_mse")} == {
        name: new[name] for name in ("network_id", "cell", "validation_mse")
    }
    models = [
        store.read_table(paths.baselines)[["penalty", "train_error", "validation_error"]] for paths in (before, after)
    ]
    pd.testing.assert_frame_equal(*models, check_exact=True)
    assert old["test_mse"] != new["test_mse"]
