"""What becomes of the columns of a user's table before networks see them: numbers, true and false, and categories.

It travels with every network that leaves the project (see tracking/model.py), so it imports nothing of it. All that is
fitted, levels and medians, is fitted on the training rows alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any, Protocol

import numpy as np

NUMBER, BOOLEAN, CATEGORY = "number", "boolean", "category"
MISSING = ("", "NA", "NaN", "nan", "null", "NULL", "?")
"""Text that stands for no value in every table."""
SHOWN_LEVELS = 5


class Cells(Protocol):
    """Columns of cells by their names: a mapping, or a pandas table."""

    def __getitem__(self, name: str, /) -> Any: ...


def truth(cell: object) -> bool | None:
    """What a cell says as text (true, TRUE, ...), as a truth value or as 1 and 0; None where it says neither."""
    if isinstance(cell, str):
        return {"true": True, "false": False, "1": True, "0": False}.get(cell.strip().lower())
    return bool(cell) if isinstance(cell, bool | int | float | np.bool_) and cell in (0, 1) else None


@dataclass(frozen=True)
class Blanks:
    """What stands for no value: text, and numbers that a user's table has in its place."""

    texts: frozenset[str]
    numbers: frozenset[float]

    @classmethod
    def of(cls, values: Iterable[str | float]) -> Blanks:
        """MISSING and these values; text that is a number stands for the number too."""
        texts = {*MISSING, *(str(value).strip() for value in values)}
        return cls(frozenset(texts), frozenset(filter(np.isfinite, map(_float, texts))))

    def missing(self, cells: Sequence[object], numbers: np.ndarray) -> np.ndarray:
        """Which cells hold no value, bool (n,): these, None and NaN; `numbers` (n,) as in `Column.read`."""
        missing = np.isin(numbers, list(self.numbers))
        for i in np.flatnonzero(np.isnan(numbers)).tolist():
            cell = cells[i]
            missing[i] = cell.strip() in self.texts if isinstance(cell, str) else is_none(cell)
        return missing


def is_none(cell: object) -> bool:
    """Whether a cell is None, NaN or what else is not equal to itself."""
    equal = cell == cell
    return cell is None or not isinstance(equal, bool | np.bool_) or not equal


def _float(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return np.nan


def _text(cell: object) -> str | None:
    return cell.strip() if isinstance(cell, str) else None


@dataclass(frozen=True)
class Column:
    """A feature: its name and kind, and what was fitted to its cells in the training rows.

    Cells are numbers (NaN for none), truth values or text (None for none). A number is one input; a category is one for
    each of its `levels`, 1 where a cell is of that level, so that a level without an input leaves all at 0. Where the
    column `takes_missing` cells, `median` stands in the place of a number, and if training rows had such cells,
    `is_told`: one more input is 1 in those rows.
    """

    name: str
    kind: str = NUMBER
    takes_missing: bool = False
    is_told: bool = False
    median: float | None = None
    levels: tuple[str, ...] = ()

    @property
    def inputs(self) -> list[str]:
        """Names of its inputs."""
        values = [f"{self.name}={level}" for level in self.levels] if self.kind == CATEGORY else [self.name]
        return values + [f"{self.name} missing"] * self.is_told

    def read(
        self, cells: Sequence[object], numbers: np.ndarray, blanks: Blanks
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Raw cells (n,) as the other methods take them; which are missing, and which may not be here: bool (n,) both.

        `numbers` float64 (n,) has the cells that are numbers, NaN for the others.
        """
        missing = blanks.missing(cells, numbers)
        if self.kind == NUMBER:
            known, bad = np.where(missing, np.nan, numbers), ~np.isfinite(numbers)
        else:
            of = truth if self.kind == BOOLEAN else _text
            pairs = zip(cells, missing.tolist(), strict=True)
            known = np.array([None if gone else of(cell) for cell, gone in pairs], dtype=object)
            bad = np.array([cell is None for cell in known], dtype=bool)
        return known, missing, bad & ~missing if self.takes_missing else bad | missing

    def fitted(self, cells: Collection[Any]) -> Column:
        """The column with the levels or the median of these cells (n,), those of the training rows.

        Raises ValueError where no cell has a value.
        """
        values, missing = self._values(cells)
        if missing.all():
            raise ValueError(f"column '{self.name}': found no value in the rows to train on")
        is_told = self.takes_missing and bool(missing.any())
        if self.kind == CATEGORY:
            return replace(self, is_told=is_told, levels=tuple(sorted(set(values[~missing].tolist()))))
        median = 2 * float(np.median(values[~missing] / 2)) if self.takes_missing else None  # a sum of two may overflow
        return replace(self, is_told=is_told, median=median)

    def matrix(self, cells: Collection[Any]) -> np.ndarray:
        """Its inputs float64 (n, n_inputs) for cells (n,); raises ValueError for a missing one where none may be."""
        values, missing = self._values(cells)
        if missing.any() and not self.takes_missing:
            raise ValueError(f"column '{self.name}': found no value in row {np.argmax(missing) + 1}")
        if self.kind == CATEGORY:
            inputs = np.array([values == level for level in self.levels]).T.astype(np.float64)
        else:
            median = np.nan if self.median is None else self.median
            inputs = np.where(missing, median, values)[:, np.newaxis]
        return np.hstack([inputs, missing[:, np.newaxis]]) if self.is_told else inputs

    def remarks(self, unknown: Counter[str], n_missing: int) -> Iterator[str]:
        """What cells have that no training row had: levels, as often as each comes, and cells without a value."""
        if unknown:
            listed = [f"'{level}' ({n})" for level, n in sorted(unknown.items())[:SHOWN_LEVELS]]
            more = f" and {len(unknown) - SHOWN_LEVELS} more" if len(unknown) > SHOWN_LEVELS else ""
            counted = f"{unknown.total()} cell{'s' * (unknown.total() > 1)} of levels that no training row has"
            yield f"{counted}, {', '.join(listed)}{more}, taken as none of its levels"
        if n_missing and not self.is_told:
            place = "none of its levels" if self.kind == CATEGORY else f"the median {self.median:.6g}"
            yield f"{n_missing} missing cell{'s' * (n_missing > 1)}, as no training row has, taken as {place}"

    def unforeseen(self, cells: Collection[Any]) -> tuple[Counter[str], int]:
        """The levels among cells (n,) that no training row has, as often as each comes, and how many are missing."""
        values, missing = self._values(cells)
        return Counter(values[self.unknown(cells)].tolist()), int(missing.sum())

    def unknown(self, cells: Collection[Any]) -> np.ndarray:
        """Where a category has a level that no training row has: bool (n,)."""
        values, missing = self._values(cells)
        unknown: np.ndarray = ~missing & (self.kind == CATEGORY) & ~np.isin(values, self.levels)
        return unknown

    def _values(self, cells: Collection[Any]) -> tuple[np.ndarray, np.ndarray]:
        """The cells (n,) as float64, NaN where missing, or those of a category as text; and which are missing."""
        if self.kind == NUMBER:
            numbers = np.asarray(cells, dtype=np.float64)
            return numbers, np.isnan(numbers)
        missing = np.array([is_none(cell) for cell in cells], dtype=bool)
        if self.kind == BOOLEAN:
            return np.array([np.nan if is_none(cell) else float(cell) for cell in cells]), missing
        return np.array(["" if is_none(cell) else cell for cell in cells], dtype=object), missing


@dataclass(frozen=True)
class Preparation:
    """The features in their order; `missing_values` stand for no value beside MISSING."""

    columns: tuple[Column, ...]
    missing_values: tuple[str | float, ...] = ()

    @classmethod
    def of_numbers(cls, names: Iterable[str]) -> Preparation:
        """Columns of numbers, each an input as it is."""
        return cls(tuple(map(Column, names)))

    @property
    def is_plain(self) -> bool:
        """Whether it is that, and nothing has to be kept but the names."""
        return self == Preparation.of_numbers(self.names)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(column.name for column in self.columns)

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        """Names of the inputs, `column`, `column=level` and `column missing`."""
        return tuple(name for column in self.columns for name in column.inputs)

    @cached_property
    def is_scaled(self) -> np.ndarray:
        """Which inputs are standardised, bool (n_inputs,): the numbers.

        What says yes or no stays 1 and 0. A level of one row in a thousand would be an input of 32 in that row, and a
        level without an input would not be 0.
        """
        kinds = [(column.kind, i) for column in self.columns for i in range(len(column.inputs))]
        return np.array([kind == NUMBER and i == 0 for kind, i in kinds])

    @cached_property
    def places(self) -> dict[str, int]:
        """Places among the inputs of the values of numbers, and of true and false, by the names of their columns."""
        starts = np.cumsum([0, *(len(column.inputs) for column in self.columns)]).tolist()
        placed = zip(self.columns, starts, strict=False)
        return {column.name: start for column, start in placed if column.kind != CATEGORY}

    @property
    def blanks(self) -> Blanks:
        """What stands for no value."""
        return Blanks.of(self.missing_values)

    def matrix(self, cells: Cells) -> np.ndarray:
        """The inputs float64 (n, n_inputs), not standardised, for the cells (n,) of each column; raises ValueError."""
        return np.hstack([column.matrix(cells[column.name]) for column in self.columns])

    def remarks(self, cells: Cells) -> list[tuple[str, str]]:
        """Columns whose cells (n,) have what no training row had, and what that is."""
        unforeseen = Unforeseen(self)
        unforeseen.see(cells)
        return unforeseen.remarks()

    def to_json(self) -> dict[str, Any]:
        """As values that JSON has, with all the digits that tell numbers apart; nothing for plain numbers."""
        if self.is_plain:
            return {}
        return {"columns": [asdict(column) for column in self.columns], "missing_values": list(self.missing_values)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Preparation:
        """What `to_json` gave, among other keys such as `feature_names`, bit for bit.

        Raises KeyError or TypeError for anything else.
        """
        if "columns" not in value:
            return cls.of_numbers(value["feature_names"])
        columns = (Column(**column | {"levels": tuple(column["levels"])}) for column in value["columns"])
        return cls(tuple(columns), tuple(value["missing_values"]))


class Unforeseen:
    """What has been seen so far, part after part of a table, that no training row has."""

    def __init__(self, preparation: Preparation) -> None:
        self.found = {column: (Counter[str](), 0) for column in preparation.columns}

    def see(self, cells: Cells) -> None:
        """Count the cells (n,) of each column."""
        for column, (unknown, n_missing) in self.found.items():
            more, missing = column.unforeseen(cells[column.name])
            self.found[column] = (unknown + more, n_missing + missing)

    def remarks(self) -> list[tuple[str, str]]:
        """Columns with such cells, and what that is."""
        return [(column.name, text) for column, counts in self.found.items() for text in column.remarks(*counts)]
