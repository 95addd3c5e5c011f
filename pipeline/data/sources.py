"""Where a dataset comes from: the assignment's function or the user's table, split into three."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from shoal.kernels.streams import stream
from shoal.pipeline.config import Config, DataConfig, Fractions
from shoal.pipeline.config.faults import ConfigError, Fault
from shoal.pipeline.data import features, notices, readers
from shoal.pipeline.data.dataset import Dataset, Split
from shoal.pipeline.data.dialect import given
from shoal.pipeline.data.user_table import UserTable, some_of
from shoal.pipeline.paths import Paths
from shoal.pipeline.preparation import NUMBER, Preparation
from shoal.pipeline.scaling import FLOAT64, Scaling

FUNCTION_SAMPLES = 1000
GRID_POINTS = 250
LAST = "last"
"""The target of a table without names of columns."""


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
    table = readers.read(paths.root, settings.path, "data.path", given(settings))
    settings = _with_last(settings, table)
    others = [column for column in table.columns if column not in _apart(settings)]
    names = tuple(others if settings.features is None else settings.features)
    targets = settings.targets
    sizes = _sizes(len(table.rows), settings.fractions)
    order = stream(settings.split_seed, "split", 0).permutation(len(table.rows))
    rows = [np.sort(part) for part in np.split(order, np.cumsum(sizes)[:-1])]
    used = features.fitted(table, [name for name in dict.fromkeys(names) if name in table.columns], settings, rows[0])
    y, faults = table.numbers([name for name in targets if name in table.columns], used.preparation.blanks)
    if every := [
        *table.faults,
        *_choice_faults(table, settings),
        *_column_faults(settings, used, faults),
        *_size_faults(table, sizes),
    ]:
        raise ConfigError(every)

    preparation, cells = used.preparation, pd.DataFrame(used.cells)
    ids = features.texts(table, settings.id or ())
    train, validation, test = (
        Split.of(preparation, cells.iloc[part], y[part], part + 1, ids.iloc[part]) for part in rows
    )
    x_scaling, y_scaling = Scaling.identity(len(preparation.inputs)), Scaling.identity(len(targets))
    if settings.standardise:
        resolution = [_resolution(table, column.name) for column in preparation.columns for _ in column.inputs]
        x_scaling = Scaling.fit(train.x, np.array(resolution)).only(preparation.is_scaled)
        y_scaling = Scaling.fit(train.y, np.array([_resolution(table, name) for name in targets]))
        _check_scales(table, (*preparation.inputs, *targets), np.concatenate([x_scaling.scale, y_scaling.scale]))
    x, places = preparation.matrix(cells), preparation.places
    columns = [_used(table, name, x[:, place], rows[0]) for name, place in places.items()]
    outcomes = [_used(table, name, values, rows[0]) for name, values in zip(targets, y.T, strict=True)]
    categories = {column.name: column.inputs for column in preparation.columns if column.name not in places}
    told = (
        *table.notices,
        *notices.of_table(table, settings, columns, outcomes, categories),
        *notices.unforeseen(table, preparation.remarks(cells)),
    )
    grid = _grid(preparation, train)
    return Dataset(preparation, targets, x_scaling, y_scaling, train, validation, test, grid, notices=told)


def _with_last(settings: DataConfig, table: UserTable) -> DataConfig:
    """The target `last` as a column, where columns have no names of their own."""
    unnamed = table.columns == [f"c{i}" for i in range(1, len(table.columns) + 1)]
    last = {"targets": tuple(table.columns[-1:])}
    return settings.model_copy(update=last) if unnamed and settings.targets == (LAST,) else settings


def _apart(settings: DataConfig) -> set[str]:
    """Columns that are no features, whatever they are."""
    return {*settings.targets, *(settings.ignore or ()), *(settings.id or ())}


def _resolution(table: UserTable, name: str) -> float:
    return table.resolutions.get(name, FLOAT64)


def _used(table: UserTable, name: str, values: np.ndarray, train: np.ndarray) -> notices.UsedColumn:
    return notices.UsedColumn(name, values, values[train], _resolution(table, name), name in table.index)


def _choice_faults(table: UserTable, settings: DataConfig) -> list[Fault]:
    """Faults of data.targets and data.features against the columns that the table has."""
    faults = [*table.missing("data.targets", settings.targets), *table.missing("data.id", settings.id or ())]
    if settings.features is not None:
        faults += table.missing("data.features", settings.features)
    else:
        faults += table.missing("data.ignore", settings.ignore or ())
        if set(table.columns) <= _apart(settings):
            allowed = "at least one column left over as a feature"
            faults.append(Fault("data.targets", f"every column of {table.name}", allowed))
    return faults


def _column_faults(settings: DataConfig, used: features.Features, targets: list[Fault]) -> list[Fault]:
    """Faults of columns, some of many, and what to write to do without features that can be none."""
    told = some_of([*used.faults, *targets], "such columns")
    good = [column.name for column in used.preparation.columns if column.name not in used.unusable]
    if settings.features or not good or not used.unusable:
        return told
    shortest = ("features", good) if len(good) <= len(used.unusable) else ("ignore", used.unusable)
    return [*told, Fault("data.features", "columns of text", notices.paste(*shortest))]


def _sizes(n: int, fractions: Fractions) -> tuple[int, int, int]:
    """Rows of the training, validation and test split of n: running sums are rounded, so that no row is lost."""
    train, validation = round(n * fractions.train), round(n * (fractions.train + fractions.validation))
    return train, validation - train, n - validation


def _size_faults(table: UserTable, sizes: tuple[int, int, int]) -> list[Fault]:
    train, validation, test = sizes
    if table.faults or (train >= 2 and validation >= 1 and test >= 1):
        return []
    found = f"{table.name} with {sum(sizes)} rows: {train} to train on, {validation} to validate, {test} to test"
    return [Fault("data.fractions", found, "at least 2, 1 and 1; add rows or change the fractions")]


def _check_scales(table: UserTable, columns: Sequence[str], scales: np.ndarray) -> None:
    """Raise ConfigError for each column whose standard deviation is beyond float64."""
    found = "numbers whose standard deviation float64 cannot hold"
    allowed = "numbers between 1e-150 and 1e150 in size; change the unit, or set data.standardise to false"
    sound = np.isfinite(scales) & (scales > 0)
    if not sound.all():
        bad = [column for column, is_sound in zip(columns, sound, strict=True) if not is_sound]
        raise ConfigError([Fault(f"column '{column}'", found, allowed, table.name) for column in bad])


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
