"""Samples in the user's units and in those that networks are trained in."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np


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
    def fit(cls, a: np.ndarray) -> Scaling:
        """Mean and standard deviation (ddof 0) of `a` (n, n_columns); a constant column gets its value and 1.

        Numbers too large or too small for float64 to square give a scale that is 0 or not finite.
        """
        constant = a.min(axis=0) == a.max(axis=0)
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            return cls(np.where(constant, a[0], a.mean(axis=0)), np.where(constant, 1.0, a.std(axis=0)))

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
    """Samples in original units: `x` float64 (n, n_features), `y` float64 (n, n_outputs)."""

    x: np.ndarray
    y: np.ndarray


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
