"""Data sets packed for the compiled calls: each array once, feature-major, and a row of numbers for each data set."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from shoal.kernels.compile.jit import inlined
from shoal.kernels.compile.linked import Integers, Pointer, unpacked
from shoal.kernels.network.sample_blocks import n_blocked
from shoal.kernels.simd.memory import empty
from shoal.kernels.training import plan


@dataclass(frozen=True, eq=False)
class Samples:
    """A data set: x (n, n_features), y (n, n_outputs) and weights (n,) of the samples, scaled to a mean of 1.

    `validation` are samples for early stopping; no others of that set's own.
    """

    x: np.ndarray
    y: np.ndarray
    weights: np.ndarray | None = None
    validation: Samples | None = None

    @property
    def shape(self) -> tuple[int, int, int]:
        """(n, n_features, n_outputs)."""
        return len(self.x), self.x.shape[1], self.y.shape[1]

    def checked(self) -> Samples:
        """The same as arrays; raises ValueError where they do not fit together or have numbers that are not finite."""
        x, y = matrix("x", self.x), matrix("y", self.y)
        if len(x) != len(y) or not len(x):
            raise ValueError(f"x has {len(x)} samples and y has {len(y)}; both need the same number, at least 1")
        check_finite("x", x)
        check_finite("y", y)
        weights = None if self.weights is None else _checked_weights(self.weights, len(x))
        checked = Samples(x, y, weights, self._checked_validation())
        if checked.validation and checked.validation.shape[1:] != checked.shape[1:]:
            found = "{} inputs and {} outputs".format(*checked.validation.shape[1:])
            raise ValueError(f"validation has {found}; x has {x.shape[1]} and y {y.shape[1]}")
        return checked

    def _checked_validation(self) -> Samples | None:
        if self.validation is None:
            return None
        try:
            return Samples(self.validation.x, self.validation.y, self.validation.weights).checked()
        except ValueError as error:
            raise ValueError(f"validation: {error}") from None

    @property
    def targets(self) -> np.ndarray:
        """y, and a column of the weights behind it if there are any."""
        if self.weights is None:
            return self.y
        return np.column_stack([self.y, self.weights * (len(self.weights) / self.weights.sum())])


def matrix(name: str, values: np.ndarray) -> np.ndarray:
    """The values as an array; raises ValueError where that has not two dimensions, or no numbers."""
    values = np.asarray(values)
    if values.ndim != 2:
        raise ValueError(f"{name} has shape {values.shape}; it needs two dimensions, (n_samples, columns)")
    if values.dtype.kind not in "biuf":
        raise ValueError(f"{name} has dtype {values.dtype}; it needs numbers")
    return values


def check_finite(name: str, values: np.ndarray) -> None:
    """Raise ValueError, which names the first one, where numbers are not finite."""
    bad = np.argwhere(~np.isfinite(values))
    if bad.size:
        row, column = bad[0]
        found = f"{values[row, column]} in row {row}, column {column} (counted from 0)"
        raise ValueError(f"{name} has {found}; all of its numbers must be finite")


def _checked_weights(weights: np.ndarray, n: int) -> np.ndarray:
    weights = np.asarray(weights)
    if weights.shape != (n,) or weights.dtype.kind not in "biuf":
        raise ValueError(f"weights has shape {weights.shape} and dtype {weights.dtype}; it needs ({n},) numbers")
    check_finite("weights", weights[:, None])
    if (weights < 0).any() or not weights.any():
        raise ValueError(f"weights has numbers from {weights.min()} to {weights.max()}; none may be below 0, or all 0")
    return weights.astype(float)


class DataRow(NamedTuple):
    """One data set as the kernels see it: a row of `Data.sets`, with offsets of its first numbers in `Data.values`."""

    X: int
    Y: int
    n: int
    ld: int
    n_features: int
    n_outputs: int
    y_rows: int
    validation: int  # number of its validation set, -1 if it has none


class Data(NamedTuple):
    """Data sets as the compiled calls take them, a row of `sets` each."""

    values: Pointer
    sets: Integers


class Shared(NamedTuple):
    """One data set: X and Y feature-major and flat, rows `ld` apart, the last sample repeated to fill them.

    Y has `y_rows`: one for each of the n_outputs targets, and one for the weights of the samples if there are any.
    """

    X: Pointer
    Y: Pointer
    n: int
    ld: int
    n_features: int
    n_outputs: int
    y_rows: int


data_at, data_row_at, N_DATA_ROW = unpacked(Data), unpacked(DataRow), len(DataRow._fields)


@inlined
def shared_of(data, k):
    """Data set number k."""
    row = data_row_at(data.sets + k * N_DATA_ROW)
    X, Y = data.values + row.X, data.values + row.Y
    return Shared(X, Y, row.n, row.ld, row.n_features, row.n_outputs, row.y_rows)


@inlined
def validation_of(data, k):
    """The number of the validation set of data set k."""
    return data_row_at(data.sets + k * N_DATA_ROW).validation


def pack_data(sets: Sequence[Samples], dtype: np.dtype) -> Data:
    """Lay data sets out for the compiled calls, their validation sets behind them; arrays of equal content are there
    once."""
    validations = [one.validation for one in sets if one.validation]
    numbers = iter(range(len(sets), len(sets) + len(validations)))
    pairs = [(one.x, one.targets) for one in (*sets, *validations)]
    places = _Places(plan.stripe_samples(dtype), [array for pair in pairs for array in pair])
    rows = [
        DataRow(
            X=places.of(x),
            Y=places.of(y),
            n=len(one.x),
            ld=places.ld(one.x),
            n_features=one.x.shape[1],
            n_outputs=one.y.shape[1],
            y_rows=one.y.shape[1] + (one.weights is not None),
            validation=next(numbers) if one.validation else -1,
        )
        for one, (x, y) in zip((*sets, *validations), pairs, strict=True)
    ]
    return Data(places.filled(dtype), np.array(rows, np.int64))


def shared_data(samples: Samples, dtype: np.dtype) -> Shared:
    """One data set as kernels that take no other have it."""
    values, sets = pack_data([samples], dtype)
    row = DataRow(*sets[0].tolist())
    return Shared(values[row.X :], values[row.Y :], *row[2:-1])


class _Places:
    """Where arrays (n, columns) are in `Data.values`; rows are padded to whole stripes."""

    def __init__(self, stripe: int, arrays: Sequence[np.ndarray]) -> None:
        self.stripe, self.end = stripe, 0
        self.kinds = Counter((array.shape, array.dtype.str) for array in arrays)
        self.blocks: dict[tuple[object, ...], tuple[int, np.ndarray]] = {}

    def ld(self, array: np.ndarray) -> int:
        """From one row to the next."""
        return -(-len(array) // self.stripe) * self.stripe

    def _sizes(self, array: np.ndarray) -> tuple[int, int]:
        """Numbers of the array feature-major, and together with what stands behind it, see sample_blocks.py."""
        (n, columns), ld = array.shape, self.ld(array)
        return ld * columns, ld * columns + -(-n * n_blocked(columns) // self.stripe) * self.stripe

    def of(self, array: np.ndarray) -> int:
        """Where the array begins, that of the first one with its content; one alone of its kind is like no other."""
        kind = array.shape, array.dtype.str
        is_alone = self.kinds[kind] == 1
        key = (*kind, None if is_alone else hashlib.blake2b(np.ascontiguousarray(array).data).digest())
        if key not in self.blocks:
            self.blocks[key] = self.end, array
            self.end += self._sizes(array)[1]
        return self.blocks[key][0]

    def filled(self, dtype: np.dtype) -> np.ndarray:
        """All of them, flat; whole stripes fill cache lines, so that each begins at one."""
        values = empty(self.end, dtype)
        for start, array in self.blocks.values():
            n, ld, (size, end) = len(array), self.ld(array), self._sizes(array)
            block = values[start : start + size].reshape(array.shape[1], ld)
            block[:, :n] = array.T
            block[:, n:] = block[:, n - 1 : n]
            values[start + size : start + end] = 0
            by_sample = array[:, : n_blocked(array.shape[1])]
            values[start + size : start + size + by_sample.size] = by_sample.ravel()
        return values
