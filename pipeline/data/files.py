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

    Row numbers are in a file of their own, data/rows.parquet, as a feature may be called `row` too. That one has the
    rows for calibration whole: DVC knows no file that need not be there, and who reads another one sees none of them.
    """
    names = [*dataset.feature_names, *dataset.target_names]
    files = {name: paths.data / f"{name}.parquet" for name in SPLITS}
    refuse_unwritable(*files.values(), paths.data / "rows.parquet", paths.data / "data.json")
    for name, file in files.items():
        split: Split = getattr(dataset, name)
        write_table(file, pd.DataFrame(np.hstack([split.x, split.y]), columns=names))
    rows = [pd.DataFrame({"split": name, "row": getattr(dataset, name).rows}) for name in SPLITS]
    if kept := dataset.calibration:
        values = dict(zip(map(_kept, names), np.hstack([kept.x, kept.y]).T, strict=True))
        rows.append(pd.DataFrame({"split": "calibration", "row": kept.rows, **values}))
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
    table, names = read_table(paths.data / "rows.parquet"), [*features, *targets]
    rows = {name: part.to_numpy() for name, part in table.groupby("split")["row"]}
    stored = {name: read_table(paths.data / f"{name}.parquet", names)[names].to_numpy() for name in SPLITS}
    splits = (Split.of(values, len(features), rows[name]) for name, values in stored.items())
    calibration = None
    if "calibration" in rows:
        values = table.loc[table["split"] == "calibration", list(map(_kept, names))].to_numpy()
        calibration = Split.of(values, len(features), rows["calibration"])
    return Dataset(features, targets, x_scaling, y_scaling, *splits, calibration=calibration)


def _kept(name: str) -> str:
    """The column of rows.parquet with the values of this one in the rows for calibration: neither `split` nor `row`."""
    return f"value {name}"
