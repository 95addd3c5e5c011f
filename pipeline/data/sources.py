"""Where a dataset comes from: the assignment's function or the user's table, split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from shoal.kernels.streams import stream
from shoal.pipeline.config import Config, DataConfig
from shoal.pipeline.config.faults import ConfigError, Fault
from shoal.pipeline.data import notices, readers, splitting
from shoal.pipeline.data.dataset import Dataset, Split
from shoal.pipeline.data.dialect import given
from shoal.pipeline.data.user_table import UserTable, some_of
from shoal.pipeline.paths import Paths
from shoal.pipeline.scaling import FLOAT64, Scaling

FUNCTION_SAMPLES = 1000
GRID_POINTS = 250
USES = {"train": "to train on", "validation": "to validate", "calibration": "to calibrate", "test": "to test"}


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
    others = [column for column in table.columns if column not in apart(settings)]
    features = tuple(others if settings.features is None else settings.features)
    names = (*features, *settings.targets)
    values, faults = table.numbers([name for name in dict.fromkeys(names) if name in table.columns])
    rows, split_faults = splitting.split(table, settings)
    choice = _choice_faults(table, settings) + split_faults
    if every := [
        *table.faults,
        *choice,
        *_column_faults(table, settings, features, faults),
        *_size_faults(table, {name: len(part) for name, part in rows.items()}),
    ]:
        raise ConfigError(every)

    parts = {name: Split.of(values[part], len(features), part + 1) for name, part in rows.items()}
    train, validation, test = (parts[name] for name in ("train", "validation", "test"))
    columns = [
        notices.UsedColumn(
            name, column, column[rows["train"]], table.resolutions.get(name, FLOAT64), name in table.index
        )
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
    return Dataset(
        features, settings.targets, x_scaling, y_scaling, *splits, calibration=parts.get("calibration"), notices=told
    )


def apart(settings: DataConfig) -> set[str]:
    """Columns that are no features where none are named: the targets, those to ignore, and what splits the rows."""
    column = settings.splits.column if settings.splits else None
    return {*settings.targets, *(settings.ignore or ()), *([column] if column else ())}


def _choice_faults(table: UserTable, settings: DataConfig) -> list[Fault]:
    """Faults of data.targets and data.features against the columns that the table has."""
    faults = table.missing("data.targets", settings.targets)
    if settings.features is not None:
        faults += table.missing("data.features", settings.features)
    else:
        faults += table.missing("data.ignore", settings.ignore or ())
        if set(table.columns) <= apart(settings):
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


def _size_faults(table: UserTable, sizes: Mapping[str, int]) -> list[Fault]:
    least = {name: 2 if name == "train" else 1 for name in sizes}
    if table.faults or all(sizes[name] >= least[name] for name in sizes):
        return []
    found = ", ".join(f"{n} {USES[name]}" for name, n in sizes.items())
    *first, last = map(str, least.values())
    allowed = f"at least {', '.join(first)} and {last}; add rows or change the fractions"
    return [Fault("data.fractions", f"{table.name} with {sum(sizes.values())} rows: {found}", allowed)]


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
