"""Prediction intervals from out-of-fold residuals: CV+, which goes with every network that leaves the project.

Row i of n is held out by fold k(i), whose networks predict mu_k(i), and R_i = |y_i - mu_k(i)(x_i)|. Of level 1 - alpha,
the interval of x ends at the ceil((n + 1) (1 - alpha))-th smallest mu_k(i)(x) + R_i, and begins where as many
mu_k(i)(x) - R_i are as large or larger (Barber, Candes, Ramdas and Tibshirani, Annals of Statistics 49, 2021). With
several repeats, what stands for mu_k(i) is the mean over the folds that hold row i out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Any

import numpy as np

AT_ONCE = 1_000_000
"""Numbers that are made at once."""


def rank(n: int, level: float) -> int:
    """ceil((n + 1) level), of the level as it is written: in floating point, 0.55 times 20 is above 11."""
    return ceil((n + 1) * Fraction(str(level)))


@dataclass(frozen=True, eq=False)
class OutOfFold:
    """`residuals` |y - mu| (n, n_targets) of rows that networks were not trained on, and the folds (n, n_repeats) that
    hold each of them out; the `level` of the intervals."""

    residuals: np.ndarray
    folds: np.ndarray
    level: float

    def ends(self, y_hats: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Low and high ends (m, n_targets) where the folds predict y_hats (n_folds, m, n_targets).

        NaN where there are too few rows.
        """
        n, (_, m, n_targets) = len(self.residuals), y_hats.shape
        low, high = np.full((2, m, n_targets), np.nan)
        place = rank(n, self.level) - 1
        if place >= n:
            return low, high
        size = max(1, AT_ONCE // n)
        for start in range(0, m, size):
            part = slice(start, start + size)
            for k in range(n_targets):
                mu = y_hats[self.folds, part, k].mean(axis=1)
                off = self.residuals[:, [k]]
                low[part, k] = -np.partition(off - mu, place, axis=0)[place]
                high[part, k] = np.partition(mu + off, place, axis=0)[place]
        return low, high

    def to_json(self) -> dict[str, Any]:
        """As values that JSON has, with all the digits that tell numbers apart."""
        return {"residuals": self.residuals.tolist(), "folds": self.folds.tolist(), "level": self.level}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> OutOfFold:
        """What `to_json` gave, bit for bit."""
        return cls(np.array(value["residuals"], np.float64), np.array(value["folds"], int), value["level"])
