"""Standardisation: from the user's units to those that networks are trained in, and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

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

    def only(self, columns: np.ndarray) -> Scaling:
        """The same for some of the columns, bool (n_columns,); the others stay as they are."""
        return Scaling(np.where(columns, self.mean, 0.0), np.where(columns, self.scale, 1.0))

    def apply(self, a: np.ndarray) -> np.ndarray:
        """Original units to standardised ones, shape (n, n_columns)."""
        standardised: np.ndarray = (a - self.mean) / self.scale
        return standardised

    def undo(self, a: np.ndarray) -> np.ndarray:
        """Standardised units back to the original ones, shape (n, n_columns)."""
        original: np.ndarray = a * self.scale + self.mean
        return original

    def to_json(self) -> dict[str, list[float]]:
        """As JSON, with all the digits that tell numbers apart."""
        return {"mean": self.mean.tolist(), "scale": self.scale.tolist()}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Scaling:
        """What `to_json` gave, bit for bit."""
        return cls(np.array(value["mean"], dtype=np.float64), np.array(value["scale"], dtype=np.float64))
