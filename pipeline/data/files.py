"""A dataset in the files of data/, written and read back bit for bit."""

from __future__ import annotations

import numpy as np
import pandas as pd

from shoal.pipeline.data.dataset import Dataset, Split
from shoal.pipeline.paths import Paths
from shoal.pipeline.scaling import Scaling
from shoal.pipeline.store import read_json, read_table, refuse_unwritable, write_sealed_json, write_table

SPLITS = ("train", "validation", "test", "grid")


def save(dataset: Dataset, paths: Paths) -> None:
    """Write data/*.parquet (features then targets, original units) and data/data.json (names, scalings, hash).

    Row numbers are in a file of their own, data/rows.parquet, as a feature may be called `row` too.
    """
    names = [*dataset.feature_names, *dataset.target_names]
    files = {name: paths.data / f"{name}.parquet" for name in SPLITS}
    refuse_unwritable(*files.values(), paths.data / "rows.parquet", paths.data / "data.json")
    for name, file in files.items():
        split: Split = getattr(dataset, name)
        write_table(file, pd.DataFrame(np.hstack([split.x, split.y]), columns=names))
    rows = [pd.DataFrame({"split": name, "row": getattr(dataset, name).rows}) for name in SPLITS]
    write_table(paths.data / "rows.parquet", pd.concat(rows, ignore_index=True))
    description = {
        "feature_names": dataset.feature_names,
        "target_names": dataset.target_names,
        "x_scaling": dataset.x_scaling.to_json(),
        "y_scaling": dataset.y_scaling.to_json(),
        "data_hash": dataset.data_hash,
    }
    write_sealed_json(paths.data / "data.json", description)


def load(paths: Paths) -> Dataset:
    """Read what `save` wrote, bit for bit; raises FileNotFoundError before the data stage has run, DamagedFileError."""
    description = read_json(paths.data / "data.json")
    features, targets = tuple(description["feature_names"]), tuple(description["target_names"])
    x_scaling, y_scaling = (Scaling.from_json(description[key]) for key in ("x_scaling", "y_scaling"))
    rows = {name: part.to_numpy() for name, part in read_table(paths.data / "rows.parquet").groupby("split")["row"]}
    names = [*features, *targets]
    stored = {name: read_table(paths.data / f"{name}.parquet", names)[names].to_numpy() for name in SPLITS}
    splits = (Split.of(values, len(features), rows[name]) for name, values in stored.items())
    return Dataset(features, targets, x_scaling, y_scaling, *splits)
