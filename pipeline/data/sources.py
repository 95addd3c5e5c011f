"""Where a dataset comes from: the assignment's function or the user's table, split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from shoal.kernels.entropy import stream
from shoal.pipeline.classes import NUMBERS, Classes
from shoal.pipeline.config import Config, DataConfig
from shoal.pipeline.config.faults import ConfigError, Fault
from shoal.pipeline.data import features, joined, labels, notices, splitting, table_faults
from shoal.pipeline.data.dataset import Dataset, Split
from shoal.pipeline.data.joined import JoinedRows
from shoal.pipeline.data.labels import Labels
from shoal.pipeline.data.user_table import UserTable, in_all, some_of
from shoal.pipeline.paths import Paths
from shoal.pipeline.preparation import NUMBER, Blanks, Preparation
from shoal.pipeline.scaling import FLOAT64, Scaling

FUNCTION_SAMPLES = 1000
GRID_POINTS = 250


def build(config: Config, paths: Paths) -> Dataset:
    """Make the dataset that the configuration asks for; raises ConfigError with every fault of the user's table."""
    return _from_function(config.seed) if config.data.source == "function" else _from_file(config.data, paths)


def _places(n: int) -> np.ndarray:
    """1 to n, as int64."""
    return np.arange(1, n + 1, dtype=np.int64)


def _from_function(seed: int) -> Dataset:
    """sin on [-pi, pi]; the training points are the assignment's: the first draw of the legacy generator."""
    shape = (FUNCTION_SAMPLES, 1)
    points = (
        np.random.RandomState(seed).uniform(-np.pi, np.pi, shape),
        stream(seed, "validation", 0).uniform(-np.pi, np.pi, shape),
        stream(seed, "test", 0).uniform(-np.pi, np.pi, shape),
        np.linspace(-np.pi, np.pi, GRID_POINTS)[:, np.newaxis],
    )
    identity = Scaling.identity(1)
    splits = (Split(x, np.sin(x), _places(len(x))) for x in points)
    return Dataset(Preparation.of_numbers(["x"]), ("y",), identity, identity, *splits)


def _from_file(settings: DataConfig, paths: Paths) -> Dataset:
    settings, found = joined.read(settings, paths)
    labelled = labels.read(found.known, settings) if settings.is_classification else None
    strata = None if labelled is None or labelled.strata is None else labelled.strata[: len(found.first.rows)]
    cut, faults = splitting.split(found.first, settings, strata)
    rows = {name: part for name in splitting.PARTS if (part := (cut | found.parts).get(name)) is not None}
    folds = splitting.in_folds(rows["train"], settings, strata)
    sizes = {name: len(part) for name, part in rows.items()}
    if not folds:
        return _split_so(found, settings, labelled, rows, [*faults, *table_faults.size_faults(found.every, sizes)])
    faults += table_faults.fold_faults(found.every, settings, sizes)
    whole = _split_so(found, settings, labelled, rows | {"validation": rows["train"]}, faults)
    parts = _in_folds(found, settings, labelled, [fold | {"test": rows["test"]} for fold in folds])
    grids = (whole.prepared_by(part.preparation, whole.grid) for part in parts)
    return replace(whole, folds=tuple(replace(part, grid=grid) for part, grid in zip(parts, grids, strict=True)))


def _in_folds(
    found: JoinedRows, settings: DataConfig, labelled: Labels | None, folds: Sequence[Mapping[str, np.ndarray]]
) -> list[Dataset]:
    """The data of each fold; raises ConfigError with the faults of those that cannot be."""
    parts, faults = list[Dataset](), list[Fault]()
    for rows in folds:
        try:
            parts.append(_split_so(found, settings, labelled, rows, []))
        except ConfigError as error:
            faults += error.faults
    if faults:
        raise ConfigError(some_of(list(dict.fromkeys(faults)), "such faults of folds"))
    return parts


def _split_so(
    found: JoinedRows,
    settings: DataConfig,
    labelled: Labels | None,
    rows: Mapping[str, np.ndarray],
    split_faults: Sequence[Fault],
) -> Dataset:
    """The dataset with these rows in each part; what is fitted is fitted to those to train on."""
    table, first = found.every, found.first
    others = [column for column in table.columns if column not in joined.apart(settings)]
    names = tuple(others if settings.features is None else settings.features)
    targets = settings.targets
    fitted_on = rows["train"]
    used = features.fitted(table, [name for name in dict.fromkeys(names) if name in table.columns], settings, fitted_on)
    y, classes, faults = _outcomes(found.known, targets, labelled, fitted_on, used.preparation.blanks)
    if every := [
        *table.faults,
        *table_faults.choice_faults(table, settings),
        *split_faults,
        *table_faults.column_faults(settings, used, faults),
    ]:
        raise ConfigError(in_all(every))

    preparation, cells = used.preparation, pd.DataFrame(used.cells)
    ids, places_in = features.texts(table, settings.id or ()), found.places
    y = np.concatenate([y, np.full((len(table.rows) - len(y), y.shape[1]), np.nan)])
    parts = {
        name: Split.of(preparation, cells.iloc[part], y[part], places_in[part], ids.iloc[part])
        for name, part in rows.items()
    }
    train = parts["train"]
    x_scaling, y_scaling = Scaling.identity(len(preparation.inputs)), Scaling.identity(y.shape[1])
    if settings.standardise:
        resolution = [_resolution(table, column.name) for column in preparation.columns for _ in column.inputs]
        x_scaling = Scaling.fit(train.x, np.array(resolution)).only(preparation.is_scaled)
        if not classes:
            y_scaling = Scaling.fit(train.y, np.array([_resolution(table, name) for name in targets]))
        outputs = targets if not classes else targets * len(classes)
        table_faults.refuse_scales(
            table, (*preparation.inputs, *outputs), np.concatenate([x_scaling.scale, y_scaling.scale])
        )
    seen = slice(len(first.rows))
    x, places = preparation.matrix(cells)[seen], preparation.places
    columns = [_used(table, name, x[:, place], fitted_on) for name, place in places.items()]
    outcomes = [
        _used(table, name, values, fitted_on) for name, values in zip(targets, _numbers(y[seen], classes), strict=True)
    ]
    categories = {column.name: column.inputs for column in preparation.columns if column.name not in places}
    told = (
        *table.notices,
        *joined.superfluous(found),
        *notices.of_table(table, settings, columns, outcomes, categories),
        *(
            notice
            for file, place in found.tables
            for notice in notices.unforeseen(file, preparation.remarks(cells.iloc[place]), file is first)
        ),
    )
    splits = (train, parts["validation"], parts["test"], _grid(preparation, train))
    calibration = parts.get("calibration")
    return Dataset(
        preparation, targets, x_scaling, y_scaling, *splits, calibration=calibration, classes=classes, notices=told
    )


def _outcomes(
    table: UserTable, targets: Sequence[str], labelled: Labels | None, train: np.ndarray, blanks: Blanks
) -> tuple[np.ndarray, Classes, list[Fault]]:
    """y (n_rows, n_outputs), the classes of rows that are `labelled`, and the faults of both."""
    if labelled is None:
        y, faults = table.numbers([name for name in targets if name in table.columns], blanks)
        return y, NUMBERS, faults
    if labelled.faults:
        return np.empty((0, 0)), NUMBERS, labelled.faults
    classes, faults = labels.fitted(table, labelled, targets[0], train)
    return classes.one_hot(labelled.cells), classes, faults


def _numbers(y: np.ndarray, classes: Classes) -> np.ndarray:
    """A row of numbers (n_targets, n) for each target: the labels themselves, or of text the place of each."""
    if not classes:
        return y.T
    places = range(len(classes)) if classes.kind is str else classes.labels
    return y[np.newaxis] @ np.array(places, np.float64)


def _resolution(table: UserTable, name: str) -> float:
    return table.resolutions.get(name, FLOAT64)


def _used(table: UserTable, name: str, values: np.ndarray, train: np.ndarray) -> notices.UsedColumn:
    return notices.UsedColumn(name, values, values[train], _resolution(table, name), name in table.index)


def _grid(preparation: Preparation, train: Split) -> Split:
    """GRID_POINTS points along the range or levels of the first feature, the others at their mean or as most are."""
    n, mean = GRID_POINTS, train.x.mean(axis=0)
    cells: dict[str, object] = {}
    seen = pd.DataFrame() if train.cells is None else train.cells
    for column in preparation.columns:
        is_first, place = column is preparation.columns[0], preparation.places.get(column.name)
        if column.kind == NUMBER:
            low, high = train.x[:, place].min(), train.x[:, place].max()
            cells[column.name] = np.linspace(low, high, n) if is_first else np.full(n, mean[place])
        else:
            found = seen[column.name].dropna()
            levels = sorted(found.unique()) if is_first else [found.mode()[0]]
            cells[column.name] = [levels[i * len(levels) // n] for i in range(n)]
    unknown = np.full((n, train.y.shape[1]), np.nan)
    return Split.of(preparation, pd.DataFrame(cells), unknown, _places(n), train.ids[:0].reindex(range(n)))
