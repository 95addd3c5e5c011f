"""Small data sets for the tests of their making: a params.yaml around a table, and what is said of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from shoal.pipeline import config, data
from shoal.pipeline.config import ConfigError
from shoal.pipeline.paths import Paths
from tests.studies import TRACKING

SWEEP = {"activation": "relu", "depth": 1, "width": 5, "learning_rate": 0.02, "steps": 10, "replicates": 1}
MIXED = {"targets": ["price"], "id": "name", "missing": {"numbers": "median", "categories": "own"}}
"""Keys of the data block for `houses`."""
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


def houses() -> pd.DataFrame:
    """60 rows of text: names of rows, a category, true and false, and numbers; missing cells in each split."""
    i = np.arange(60)
    table = pd.DataFrame({"name": [f"h{k:03d}" for k in i], "kind": np.array(["flat", "house", "hut"])[i % 3]})
    table["garden"] = np.where(i % 2 == 0, "true", "FALSE")
    table["rooms"] = (1 + i % 7).astype(str)
    table["price"] = (10 * (i % 7) + 5 * (i % 3) + i % 2).astype(str)
    table.loc[::10, "rooms"] = "NA"
    table.loc[5::10, "kind"] = "?"
    return table


def written(root: Path, table: pd.DataFrame) -> Path:
    """The folder, with the table at t.csv."""
    table.to_csv(root / "t.csv", index=False)
    return root


def filled(table: pd.DataFrame) -> pd.DataFrame:
    """The table with None where nothing is, whatever the types of its columns."""
    return table.astype(object).where(table.notna(), None)


def assert_identical(first: data.Dataset, second: data.Dataset) -> None:
    assert (first.preparation, first.target_names) == (second.preparation, second.target_names)
    for name in ("x_scaling", "y_scaling", *data.SPLITS):
        for field, one in vars(getattr(first, name)).items():
            other = getattr(getattr(second, name), field)
            if not isinstance(one, np.ndarray):
                assert one is other is None or filled(one).equals(filled(other))
                continue
            assert one.dtype == other.dtype == (np.int64 if field == "rows" else np.float64)
            assert one.shape == other.shape
            assert one.tobytes() == other.tobytes()
    assert first.data_hash == second.data_hash
