"""A dataset in the files of data/, written and read back bit for bit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from shoal.pipeline.classes import Classes
from shoal.pipeline.data.dataset import Dataset, Split
from shoal.pipeline.paths import Paths
from shoal.pipeline.preparation import Preparation
from shoal.pipeline.scaling import Scaling
from shoal.pipeline.store import read_json, read_table, refuse_unwritable, write_sealed_json, write_table

SPLITS = ("train", "validation", "test", "grid")
ID = "id: "
"""Before the names of columns that name rows, in data/rows.parquet."""
FOLD = "fold "
"""Before the number of a fold, in the column `split` there."""
VALUE = "value "
"""Before the names of features and targets there, which the rows for calibration have."""


def save(dataset: Dataset, paths: Paths) -> None:
    """Write data/*.parquet (features then targets, original units) and data/data.json (names, scalings, hash).

    Row numbers, and columns that name rows, are in a file of their own, data/rows.parquet, as a feature may be called
    `row` too. That one has the rows for calibration whole: DVC knows no file that need not be there, and who reads
    another one sees none of them. What was fitted to features that are no plain numbers is in data.json, and so are
    the classes of a target, and what was fitted to each fold; which rows a fold holds out is in data/rows.parquet.
    """
    files = {name: paths.data / f"{name}.parquet" for name in SPLITS}
    refuse_unwritable(*files.values(), paths.data / "rows.parquet", paths.data / "data.json")
    for name, file in files.items():
        split: Split = getattr(dataset, name)
        write_table(file, _values(dataset, split))
    rows = [_rows(name, getattr(dataset, name)) for name in SPLITS]
    if kept := dataset.calibration:
        rows.append(pd.concat([_rows("calibration", kept), _values(dataset, kept).add_prefix(VALUE)], axis=1))
    for i, fold in enumerate(dataset.folds):
        rows.append(pd.DataFrame({"split": f"{FOLD}{i}", "row": fold.validation.rows}))
    write_table(paths.data / "rows.parquet", pd.concat(rows, ignore_index=True))
    folds = {"folds": [_description(fold) for fold in dataset.folds]} if dataset.folds else {}
    write_sealed_json(paths.data / "data.json", _description(dataset) | folds)


def _description(dataset: Dataset) -> dict[str, Any]:
    """Names, and what was fitted to the training rows."""
    return {
        "feature_names": dataset.feature_names,
        "target_names": dataset.target_names,
        "x_scaling": dataset.x_scaling.to_json(),
        "y_scaling": dataset.y_scaling.to_json(),
        **dataset.preparation.to_json(),
        **({"classes": dataset.classes.labels} if dataset.classes else {}),
        "data_hash": dataset.data_hash,
    }


def load(paths: Paths) -> Dataset:
    """Read what `save` wrote, bit for bit; raises FileNotFoundError before the data stage has run, DamagedFileError."""
    description = read_json(paths.data / "data.json")
    preparation, targets = Preparation.from_json(description), tuple(description["target_names"])
    rows = dict(list(read_table(paths.data / "rows.parquet").groupby("split")))
    classes = Classes(tuple(description.get("classes", ())))
    names = [*preparation.names, *targets]

    def split(name: str, stored: pd.DataFrame) -> Split:
        ids = rows[name].filter(regex=f"^{ID}")
        ids.columns = ids.columns.str.removeprefix(ID)
        y = classes.one_hot(stored[targets[0]]) if classes else stored[list(targets)].to_numpy(np.float64)
        return Split.of(preparation, stored[list(preparation.names)], y, rows[name]["row"].to_numpy(), ids)

    splits = (split(name, read_table(paths.data / f"{name}.parquet", names)) for name in SPLITS)
    calibration = None
    if (kept := rows.get("calibration")) is not None:
        values = kept[[f"{VALUE}{name}" for name in names]].set_axis(names, axis=1)
        calibration = split("calibration", values)
    whole = Dataset(preparation, targets, *_scalings(description), *splits, calibration=calibration, classes=classes)
    folds = enumerate(description.get("folds", ()))
    return replace(whole, folds=tuple(_fold(whole, fold, rows[f"{FOLD}{i}"]["row"].to_numpy()) for i, fold in folds))


def _fold(whole: Dataset, description: Mapping[str, Any], rows: np.ndarray) -> Dataset:
    """The data of a fold that holds these rows out, from all its rows and from what was fitted to it."""
    preparation, held = Preparation.from_json(description), np.isin(whole.train.rows, rows)
    pool = (whole.prepared_by(preparation, whole.train, kept) for kept in (~held, held))
    others = (whole.prepared_by(preparation, split) for split in (whole.test, whole.grid))
    scalings = _scalings(description)
    return Dataset(preparation, whole.target_names, *scalings, *pool, *others, classes=whole.classes)


def _scalings(description: Mapping[str, Any]) -> tuple[Scaling, Scaling]:
    x_scaling, y_scaling = (Scaling.from_json(description[key]) for key in ("x_scaling", "y_scaling"))
    return x_scaling, y_scaling


def _values(dataset: Dataset, split: Split) -> pd.DataFrame:
    """Features and targets of a split as its table has them."""
    return pd.concat([dataset.features(split), dataset.targets(split)], axis=1)


def _rows(name: str, split: Split) -> pd.DataFrame:
    return pd.concat([pd.DataFrame({"split": name, "row": split.rows}), split.ids.add_prefix(ID)], axis=1)
