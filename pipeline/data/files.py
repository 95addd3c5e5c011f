"""A dataset in the files of data/, written and read back bit for bit."""

from __future__ import annotations

import pandas as pd

from shoal.pipeline.data.dataset import Dataset, Split
from shoal.pipeline.paths import Paths
from shoal.pipeline.preparation import Preparation
from shoal.pipeline.scaling import Scaling
from shoal.pipeline.store import read_json, read_table, refuse_unwritable, write_sealed_json, write_table

SPLITS = ("train", "validation", "test", "grid")
ID = "id: "
"""Before the names of columns that name rows, in data/rows.parquet."""


def save(dataset: Dataset, paths: Paths) -> None:
    """Write data/*.parquet (features then targets, original units) and data/data.json (names, scalings, hash).

    Row numbers, and columns that name rows, are in a file of their own, data/rows.parquet, as a feature may be called
    `row` too. What was fitted to features that are no plain numbers is in data.json.
    """
    files = {name: paths.data / f"{name}.parquet" for name in SPLITS}
    refuse_unwritable(*files.values(), paths.data / "rows.parquet", paths.data / "data.json")
    for name, file in files.items():
        split: Split = getattr(dataset, name)
        y = pd.DataFrame(split.y, columns=list(dataset.target_names))
        write_table(file, pd.concat([dataset.features(split), y], axis=1))
    rows = [_rows(name, getattr(dataset, name)) for name in SPLITS]
    write_table(paths.data / "rows.parquet", pd.concat(rows, ignore_index=True))
    description = {
        "feature_names": dataset.feature_names,
        "target_names": dataset.target_names,
        "x_scaling": dataset.x_scaling.to_json(),
        "y_scaling": dataset.y_scaling.to_json(),
        **dataset.preparation.to_json(),
        "data_hash": dataset.data_hash,
    }
    write_sealed_json(paths.data / "data.json", description)


def load(paths: Paths) -> Dataset:
    """Read what `save` wrote, bit for bit; raises FileNotFoundError before the data stage has run, DamagedFileError."""
    description = read_json(paths.data / "data.json")
    preparation, targets = Preparation.from_json(description), tuple(description["target_names"])
    x_scaling, y_scaling = (Scaling.from_json(description[key]) for key in ("x_scaling", "y_scaling"))
    rows = dict(list(read_table(paths.data / "rows.parquet").groupby("split")))
    splits = (_split(paths, name, preparation, targets, rows[name]) for name in SPLITS)
    return Dataset(preparation, targets, x_scaling, y_scaling, *splits)


def _split(paths: Paths, name: str, preparation: Preparation, targets: tuple[str, ...], rows: pd.DataFrame) -> Split:
    names = list(preparation.names)
    stored = read_table(paths.data / f"{name}.parquet", [*names, *targets])
    ids = rows.drop(columns=["split", "row"])
    ids.columns = ids.columns.str.removeprefix(ID)
    return Split.of(preparation, stored[names], stored[list(targets)].to_numpy(), rows["row"].to_numpy(), ids)


def _rows(name: str, split: Split) -> pd.DataFrame:
    return pd.concat([pd.DataFrame({"split": name, "row": split.rows}), split.ids.add_prefix(ID)], axis=1)
