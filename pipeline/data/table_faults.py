"""What a user's table lacks for the dataset that params.yaml asks for: columns, rows in each part, sizes of numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from shoal.pipeline.config import DataConfig
from shoal.pipeline.config.faults import ConfigError, Fault
from shoal.pipeline.data import features, joined, notices
from shoal.pipeline.data.user_table import UserTable, some_of

USES = {"train": "to train on", "validation": "to validate", "calibration": "to calibrate", "test": "to test"}
LEAST_IN_FOLDS = 4
"""Rows that leave two to train on, however they are cut into folds."""


def choice_faults(table: UserTable, settings: DataConfig) -> list[Fault]:
    """Faults of data.targets and data.features against the columns that the table has."""
    faults = [*table.missing("data.targets", settings.targets), *table.missing("data.id", settings.id or ())]
    if settings.features is not None:
        faults += table.missing("data.features", settings.features)
    else:
        faults += table.missing("data.ignore", settings.ignore or ())
        if set(table.columns) <= joined.apart(settings):
            allowed = "at least one column left over as a feature"
            faults.append(Fault("data.targets", f"every column of {table.name}", allowed))
    return faults


def column_faults(settings: DataConfig, used: features.Features, targets: list[Fault]) -> list[Fault]:
    """Faults of columns, some of many, and what to write to do without features that can be none."""
    told = some_of([*used.faults, *targets], "such columns")
    good = [column.name for column in used.preparation.columns if column.name not in used.unusable]
    if settings.features or not good or not used.unusable:
        return told
    shortest = ("features", good) if len(good) <= len(used.unusable) else ("ignore", used.unusable)
    return [*told, Fault("data.features", "columns of text", notices.paste(*shortest))]


def size_faults(table: UserTable, sizes: Mapping[str, int]) -> list[Fault]:
    least = {name: 2 if name == "train" else 1 for name in sizes}
    if table.faults or all(sizes[name] >= least[name] for name in sizes):
        return []
    found = ", ".join(f"{n} {USES[name]}" for name, n in sizes.items())
    *first, last = map(str, least.values())
    allowed = f"at least {', '.join(first)} and {last}; add rows or change the fractions"
    return [Fault("data.fractions", f"{table.name} with {sum(sizes.values())} rows: {found}", allowed)]


def fold_faults(table: UserTable, settings: DataConfig, sizes: Mapping[str, int]) -> list[Fault]:
    """A fault where there are too few rows for the folds, or none to test on."""
    folds = settings.splits.folds if settings.splits and settings.splits.folds else 1
    least = max(folds, LEAST_IN_FOLDS)
    if table.faults or (sizes["train"] >= least and sizes["test"]):
        return []
    found = f"{table.name} with {sum(sizes.values())} rows: {sizes['train']} for {folds} folds, {sizes['test']} to test"
    allowed = f"at least {least} and 1; add rows, or change the folds or data.fractions.test"
    return [Fault("data.splits.folds", found, allowed)]


def refuse_scales(table: UserTable, columns: Sequence[str], scales: np.ndarray) -> None:
    """Raise ConfigError for each column whose standard deviation is beyond float64."""
    found = "numbers whose standard deviation float64 cannot hold"
    allowed = "numbers between 1e-150 and 1e150 in size; change the unit, or set data.standardise to false"
    sound = np.isfinite(scales) & (scales > 0)
    if not sound.all():
        bad = [column for column, is_sound in zip(columns, sound, strict=True) if not is_sound]
        raise ConfigError([Fault(f"column '{column}'", found, allowed, table.name) for column in bad])
