"""What looks wrong with the columns of a table that are taken all the same: suspicions, told before anything runs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from shoal.pipeline.config import DataConfig
from shoal.pipeline.config.faults import Notice
from shoal.pipeline.data.user_table import SHOWN_FAULTS, UserTable
from shoal.pipeline.scaling import constant

FLOAT32 = float(np.finfo(np.float32).eps)
SAME, ALIKE = 1e-4, 0.01
"""Two columns are copies if, each on its range from 0 to 1, they differ by SAME and their steps, or ALIKE, at most.

The first allows for numbers written with four digits or more, the steps for fewer decimals.
"""
ROW_NAMES = re.compile(
    r"unnamed: ?\d+.*|row[ _.]?(names?|numbers?|num|nr|no|ids?|index)?|index|ids?|level_\d+|__index_level_\d+__"
    r"|\.\.\.\d+",
    re.IGNORECASE,
)
"""Names that programs and people give to the numbers of rows."""
PROBES = 16
"""Rows in which two columns are compared before they are compared in all."""
WAY_OUT = "if it is no feature, leave it out of data.features"
PASTED = 100
"""Features that are listed ready to paste; more are nothing to read."""


@dataclass(frozen=True, eq=False)
class UsedColumn:
    """A column in use: all its `values` (n,), those to `train` on, and its `resolution` as in `dataset.constant`."""

    name: str
    values: np.ndarray
    train: np.ndarray
    resolution: float
    was_index: bool = False

    @cached_property
    def unit(self) -> np.ndarray:
        """The values on a range from 0 to 1, NaN where they have no range; shape (n,)."""
        low, high = self.values.min(), self.values.max()
        with np.errstate(all="ignore"):
            unit: np.ndarray = (self.values - low) / (high - low)
        return unit

    @cached_property
    def step(self) -> float:
        """The least distance of two of its numbers as they are written, by decimals or by dtype, on that range."""
        with np.errstate(over="ignore", invalid="ignore"):
            decimals = (10.0**-d for d in range(16) if np.array_equal(np.round(self.values, d), self.values))
            written = next(decimals, 0.0)
        stored = self.resolution * float(np.abs(self.values).max())
        return max(written, stored) / float(np.ptp(self.values))

    @property
    def probe(self) -> np.ndarray:
        """`unit` in PROBES rows, or fewer."""
        return self.unit[:: -(-len(self.unit) // PROBES)]


def of_table(
    table: UserTable,
    settings: DataConfig,
    features: Sequence[UsedColumn],
    targets: Sequence[UsedColumn],
    categories: Mapping[str, Sequence[str]],
) -> tuple[Notice, ...]:
    """One notice a suspect, SHOWN_FAULTS of them at most and a count of the others, and what to write in params.yaml.

    Of features that the user has chosen, only constant ones and copies of a target are told. `categories` are features
    too, with what their inputs are called.
    """
    suspects = suspicions(features, targets, settings.features is not None)
    suspects |= single_levels(categories)
    names = [*(column.name for column in features), *categories]
    told = [*_flat_targets(table.name, targets)]
    told += [Notice(f"column '{name}'", suspects[name], WAY_OUT, table.name) for name in names if name in suspects]
    if more := len(told[SHOWN_FAULTS:]):
        told[SHOWN_FAULTS:] = [Notice("columns", f"{more} more that look like no features", "as above", table.name)]
    kept = [name for name in names if name not in suspects]
    if suspects and 0 < len(kept) <= PASTED:
        told.append(Notice("data.features", "without these columns", paste("features", kept)))
    return tuple(told)


def unforeseen(table: UserTable, remarks: Sequence[tuple[str, str]], is_cut: bool) -> tuple[Notice, ...]:
    """One notice a column that has, outside the rows to train on, what these lack; SHOWN_FAULTS of them at most.

    `is_cut` says whether rows of this table are trained on.
    """
    way_out = "another data.split_seed may train on some of them" if is_cut else "rows to train on would need some"
    told = [Notice(f"column '{name}'", text, way_out, table.name) for name, text in remarks]
    if more := len(told[SHOWN_FAULTS:]):
        told[SHOWN_FAULTS:] = [Notice("columns", f"{more} more such columns", "as above", table.name)]
    return tuple(told)


def paste(key: str, names: Sequence[str]) -> str:
    """A line for params.yaml."""
    return f"{key}: [{', '.join(map(word, names))}]"


def suspicions(features: Sequence[UsedColumn], targets: Sequence[UsedColumn], chosen: bool = False) -> dict[str, str]:
    """Why columns look like no features, by their names."""
    suspects = {column.name: reason for column in features if (reason := _constant(column))}
    suspects = _copies(features, targets) | suspects
    if chosen:
        return suspects
    only = len(features) == 1
    rows = {column.name: reason for column in features if (reason := _row_number(column, only))}
    suspects = rows | suspects
    sound = [column for column in features if column.name not in suspects]
    return suspects | _copies(sound, sound)


def single_levels(categories: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Which categories have one input, and so nothing to tell rows apart by."""
    single = {name: inputs[0] for name, inputs in categories.items() if len(inputs) == 1}
    return {name: f"has one level in the rows to train on ({only})" for name, only in single.items()}


def _flat_targets(file: str, targets: Sequence[UsedColumn]) -> Iterator[Notice]:
    for column in targets:
        if reason := _constant(column):
            yield Notice(f"column '{column.name}'", reason, "a target such as this leaves nothing to learn", file)


def _constant(column: UsedColumn) -> str | None:
    """How a column shows one value, or nothing but rounding."""
    value = f"{column.train[0]:.6g}"
    if not constant(column.train[:, np.newaxis], column.resolution)[0]:
        whole = np.all(column.train % 1 == 0)
        if whole or not constant(column.train[:, np.newaxis], FLOAT32)[0]:
            return None
        return f"differs from {value} by rounding only, as it seems"
    rows = "every row" if constant(column.values[:, np.newaxis], column.resolution)[0] else "every row to train on"
    return f"holds {value} in {rows}" + (", but for rounding" if np.ptp(column.train) else "")


def _row_number(column: UsedColumn, only: bool) -> str | None:
    """Why a column looks like the number or the name of its row; an `only` feature must have the name of one as well.

    Whole numbers of 0 or more, each once and none left out, in whichever order: rows may have been shuffled.
    """
    if column.was_index:
        return "was the index of a table: names of rows, as it seems"
    ordered, named = np.sort(column.values), ROW_NAMES.fullmatch(column.name) is not None
    if ordered[0] < 0 or np.any(ordered % 1) or not np.all(np.diff(ordered)):
        return None
    if np.all(np.diff(ordered) == 1) and (named or not only):
        return f"looks like a row number (each whole number from {ordered[0]:.0f} to {ordered[-1]:.0f} once)"
    return "looks like the number of a row (whole numbers, each once)" if named else None


def _copies(columns: Sequence[UsedColumn], others: Sequence[UsedColumn]) -> dict[str, str]:
    """How columns are copies of one of the others, by their names; where both are the same, of an earlier one."""
    copies: dict[str, str] = {}
    if not others:  # targets are classes of text
        return copies
    probes = np.array([other.probe for other in others])
    for n, column in enumerate(columns):
        earlier = n if columns is others else len(others)
        gaps = (np.abs(probes[:earlier] - image) for image in (column.probe, 1 - column.probe))
        straight, reversed_ = (np.all(gap <= ALIKE, axis=-1) for gap in gaps)
        reasons = (_copy(column, others[i]) for i in np.flatnonzero(straight | reversed_).tolist())
        if reason := next(filter(None, reasons), None):
            copies[column.name] = reason
    return copies


def _copy(column: UsedColumn, other: UsedColumn) -> str | None:
    """The straight line on which a column follows another one, if it does in every row, up to rounding."""
    allowed = min(SAME + column.step + other.step, ALIKE)
    for sign, image in ((1, other.unit), (-1, 1 - other.unit)):
        if np.all(np.abs(column.unit - image) <= allowed):
            return _line(column, other, sign)
    return None


def _line(column: UsedColumn, other: UsedColumn, sign: int) -> str:
    if np.array_equal(column.values, other.values):
        return f"equals the column '{other.name}' in every row"
    slope = sign * np.ptp(column.values) / np.ptp(other.values)
    offset = (column.values.min() if sign > 0 else column.values.max()) - slope * other.values.min()
    line = f"{slope:.3g} {other.name} {'-' if offset < 0 else '+'} {abs(offset):.3g}"
    return f"follows the column '{other.name}' on a straight line in every row ({line})"


def word(name: str) -> str:
    """A name as an item of a YAML list, in quotes where it is no plain word."""
    plain = re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.]*", name) and name.lower() not in ("null", "true", "false")
    return name if plain else json.dumps(name, ensure_ascii=False)
