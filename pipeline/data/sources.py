"""Where a dataset comes from: the assignment's function or the user's table, split."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from shoal.kernels.streams import stream
from shoal.pipeline.config import Config, DataConfig, Fractions
from shoal.pipeline.config.faults import ConfigError, Fault
from shoal.pipeline.data import notices, readers
from shoal.pipeline.data.dataset import Dataset, Split
from shoal.pipeline.data.dialect import given
from shoal.pipeline.data.user_table import UserTable, some_of
from shoal.pipeline.paths import Paths
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
    return Dataset(("x",), ("y",), identity, identity, *(Split(x, np.sin(x), _places(len(x))) for x in points))


def _from_file(settings: DataConfig, paths: Paths) -> Dataset:
    table = readers.read(paths.root, settings.path, "data.path", given(settings))
    apart = {*settings.targets, *(settings.ignore or ())}
    others = [column for column in table.columns if column not in apart]
    features = tuple(others if settings.features is None else settings.features)
    names = (*features, *settings.targets)
    values, faults = table.numbers([name for name in dict.fromkeys(names) if name in table.columns])
    sizes = _sizes(len(values), settings.fractions)
    choice = _choice_faults(table, settings)
    if every := [
        *table.faults,
        *choice,
        *_column_faults(table, settings, features, faults),
        *_size_faults(table, sizes, settings.fractions),
    ]:
        raise ConfigError(every)

    order = stream(settings.split_seed, "split", 0).permutation(len(values))
    rows = [np.sort(part) for part in np.split(order, np.cumsum(sizes)[:-1])]
    train, validation, test, kept = (Split.of(values[part], len(features), part + 1) for part in rows)
    calibration = kept if settings.fractions.calibration else None
    columns = [
        notices.UsedColumn(name, column, column[rows[0]], table.resolutions.get(name, FLOAT64), name in table.index)
        for name, column in zip(names, values.T, strict=True)
    ]
    x_scaling, y_scaling = Scaling.identity(len(features)), Scaling.identity(len(settings.targets))
    if settings.standardise:
        resolution = np.array([column.resolution for column in columns])
        x_scaling = Scaling.fit(train.x, resolution[: len(features)])
        y_scaling = Scaling.fit(train.y, resolution[len(features) :])
        _check_scales(table, names, np.concatenate([x_scaling.scale, y_scaling.scale]))
    unknown = np.full((GRID_POINTS, len(settings.targets)), np.nan)
    grid = Split(_grid(train.x), unknown, _places(GRID_POINTS))
    suspects = notices.of_table(table, settings, columns[: len(features)], columns[len(features) :])
    told = (*table.notices, *suspects)
    splits = (train, validation, test, grid)
    return Dataset(features, settings.targets, x_scaling, y_scaling, *splits, calibration=calibration, notices=told)


def _choice_faults(table: UserTable, settings: DataConfig) -> list[Fault]:
    """Faults of data.targets and data.features against the columns that the table has."""
    faults = table.missing("data.targets", settings.targets)
    if settings.features is not None:
        faults += table.missing("data.features", settings.features)
    else:
        faults += table.missing("data.ignore", settings.ignore or ())
        if set(table.columns) <= {*settings.targets, *(settings.ignore or ())}:
            allowed = "at least one column left over as a feature"
            faults.append(Fault("data.targets", f"every column of {table.name}", allowed))
    return faults


def _column_faults(table: UserTable, settings: DataConfig, features: Sequence[str], faults: list[Fault]) -> list[Fault]:
    """Faults of columns that are no numbers, some of many, and what to write to do without those of text."""
    left_out = [] if settings.features else [name for name in features if table.is_text(name)]
    good = [name for name in features if name not in left_out]
    if not faults or not good or not left_out:
        return some_of(faults, "such columns")
    line = notices.paste("features", good) if len(good) <= len(left_out) else notices.paste("ignore", left_out)
    return [*some_of(faults, "such columns"), Fault("data.features", "columns of text", line)]


def _sizes(n: int, fractions: Fractions) -> tuple[int, int, int, int]:
    """Rows of the training, validation, test and calibration split of n.

    Running sums are rounded, so that no row is lost.
    """
    train, validation = round(n * fractions.train), round(n * (fractions.train + fractions.validation))
    test = n - round(n * fractions.calibration) if fractions.calibration else n
    return train, validation - train, test - validation, n - test


def _size_faults(table: UserTable, sizes: tuple[int, int, int, int], fractions: Fractions) -> list[Fault]:
    train, validation, test, calibration = sizes
    short = fractions.calibration is not None and calibration < 1
    if table.faults or (train >= 2 and validation >= 1 and test >= 1 and not short):
        return []
    found = f"{table.name} with {sum(sizes)} rows: {train} to train on, {validation} to validate, {test} to test"
    least = "2, 1 and 1"
    if fractions.calibration is not None:
        found, least = f"{found}, {calibration} to calibrate", "2, 1, 1 and 1"
    return [Fault("data.fractions", found, f"at least {least}; add rows or change the fractions")]


def _check_scales(table: UserTable, columns: Sequence[str], scales: np.ndarray) -> None:
    """Raise ConfigError for each column whose standard deviation is beyond float64."""
    found = "numbers whose standard deviation float64 cannot hold"
    allowed = "numbers between 1e-150 and 1e150 in size; change the unit, or set data.standardise to false"
    sound = np.isfinite(scales) & (scales > 0)
    if not sound.all():
        bad = [column for column, is_sound in zip(columns, sound, strict=True) if not is_sound]
        raise ConfigError([Fault(f"column '{column}'", found, allowed, table.name) for column in bad])


def _grid(x: np.ndarray) -> np.ndarray:
    """GRID_POINTS points along the range of the first feature of `x`, the others at their mean."""
    grid = np.tile(x.mean(axis=0), (GRID_POINTS, 1))
    grid[:, 0] = np.linspace(x[:, 0].min(), x[:, 0].max(), GRID_POINTS)
    return grid
