"""Samples in the user's units and in those that networks are trained in."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from shoal.pipeline.config.faults import Notice

FLOAT64 = float(np.finfo(np.float64).eps)
"""Relative distance of neighbouring float64 numbers."""
ROUNDING = 8
"""Distances of neighbouring numbers that rounding may put between two results of one computation."""


def constant(a: np.ndarray, resolution: np.ndarray | float = FLOAT64) -> np.ndarray:
    """Whether each column of `a` (n, n_columns) holds one value: its spread is within the rounding of its largest size.

    `resolution` is the relative distance of neighbouring numbers, (n_columns,) or one for all columns: that of the
    dtype in which the table has the column. A spread of so few of them is what rounding leaves of one value; its mean
    is not known any better, so that dividing by it would make numbers of noise.
    """
    low, high = a.min(axis=0), a.max(axis=0)
    with np.errstate(over="ignore"):
        flat: np.ndarray = high - low <= ROUNDING * resolution * np.maximum(-low, high)
    return flat


@dataclass(frozen=True, eq=False)
class Scaling:
    """An affine change of units, column by column: `mean` and `scale` are float64 (n_columns,)."""

    mean: np.ndarray
    scale: np.ndarray

    @classmethod
    def identity(cls, n_columns: int) -> Scaling:
        """The scaling that changes nothing."""
        return cls(np.zeros(n_columns), np.ones(n_columns))

    @classmethod
    def fit(cls, a: np.ndarray, resolution: np.ndarray | float = FLOAT64) -> Scaling:
        """Mean and standard deviation (ddof 0) of `a` (n, n_columns); a constant column gets its first value and 1.

        `resolution` as in `constant`. Numbers too large or too small for float64 to square give a scale that is 0 or
        not finite.
        """
        flat = constant(a, resolution)
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            return cls(np.where(flat, a[0], a.mean(axis=0)), np.where(flat, 1.0, a.std(axis=0)))

    def apply(self, a: np.ndarray) -> np.ndarray:
        """Original units to standardised ones, shape (n, n_columns)."""
        standardised: np.ndarray = (a - self.mean) / self.scale
        return standardised

    def undo(self, a: np.ndarray) -> np.ndarray:
        """Standardised units back to the original ones, shape (n, n_columns)."""
        original: np.ndarray = a * self.scale + self.mean
        return original


@dataclass(frozen=True, eq=False)
class Split:
    """Samples in original units: `x` float64 (n, n_features), `y` float64 (n, n_outputs).

    `rows` int64 (n,) is the place of each among the data rows of the table that it came from, or among the points of
    the function; the first is 1.
    """

    x: np.ndarray
    y: np.ndarray
    rows: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray, n_features: int, rows: np.ndarray) -> Split:
        """Columns of `values` (n, n_features + n_outputs) as two contiguous arrays of their own."""
        return cls(values[:, :n_features].copy(order="C"), values[:, n_features:].copy(order="C"), rows)


@dataclass(frozen=True, eq=False)
class Dataset:
    """Three splits, the grid that fits are drawn on (its `y` is NaN where the truth is unknown), names and scalings."""

    feature_names: tuple[str, ...]
    target_names: tuple[str, ...]
    x_scaling: Scaling
    y_scaling: Scaling
    train: Split
    validation: Split
    test: Split
    grid: Split
    notices: tuple[Notice, ...] = field(default=(), kw_only=True)
    """What looks wrong with the user's table; known where the dataset is made of it, not where it is loaded."""

    @property
    def n_features(self) -> int:
        return len(self.feature_names)

    @property
    def n_outputs(self) -> int:
        return len(self.target_names)

    @cached_property
    def error_scale(self) -> np.ndarray:
        """What the errors of each target are divided by where they are weighed against each other, (n_outputs,).

        The deviation of the target on the training rows, whatever the networks see, 1 where there is none that float64
        can hold; and 1 for a single target, which has nothing to be weighed against.
        """
        scale = Scaling.fit(self.train.y).scale
        is_sound = np.isfinite(scale) & (scale > 0) & (self.n_outputs > 1)
        return np.where(is_sound, scale, 1.0)

    @cached_property
    def data_hash(self) -> str:
        """Hex SHA-256 of what networks are trained on: shape and float64 bytes of the standardised training split."""
        digest = hashlib.sha256()
        for a in (self.inputs(self.train), self.outputs(self.train)):
            digest.update(np.array(a.shape, dtype="<i8").tobytes() + a.astype("<f8").tobytes())
        return digest.hexdigest()

    def inputs(self, split: Split) -> np.ndarray:
        """Standardised x of a split, (n, n_features)."""
        return self.x_scaling.apply(split.x)

    def outputs(self, split: Split) -> np.ndarray:
        """Standardised y of a split, (n, n_outputs)."""
        return self.y_scaling.apply(split.y)

    def predictions(self, y_standardised: np.ndarray) -> np.ndarray:
        """What a network puts out, (n, n_outputs), in the units of the targets."""
        return self.y_scaling.undo(y_standardised)
