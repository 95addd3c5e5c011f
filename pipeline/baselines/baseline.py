"""What a baseline is: a model with hardly a choice in it, fitted to the same rows as the networks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from shoal.pipeline.scaling import Scaling, constant


def _itself(y_hat: np.ndarray) -> np.ndarray:
    return y_hat


def standardising(x: np.ndarray) -> Scaling:
    """Mean 0 and deviation 1; an input that does not vary, or beyond what float64 can square, is left out as 0."""
    found = Scaling.fit(x)
    sound = np.isfinite(found.scale) & (found.scale > 0) & ~constant(x)
    return Scaling(np.where(sound, found.mean, 0.0), np.where(sound, found.scale, np.inf))


@dataclass(frozen=True, eq=False)
class Linear:
    """y_hat = link(intercept + z W), where z are the inputs in units of `scaling`.

    `weights` (n_inputs, n_outputs) and `intercept` (n_outputs,) float64. `penalties` (n_targets,) is what each target
    was fitted with, NaN where there is none.
    """

    scaling: Scaling
    weights: np.ndarray
    intercept: np.ndarray
    penalties: np.ndarray
    link: Callable[[np.ndarray], np.ndarray] = _itself

    def predict(self, x: np.ndarray) -> np.ndarray:
        """y_hat (n, n_outputs) for x (n, n_inputs); the order of its sums does not depend on the number of threads."""
        return self.link(self.intercept + np.einsum("np,pk->nk", self.scaling.apply(x), self.weights))


Fit = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], Linear]
"""fit(x, y, x_validation, y_validation): x (n, n_inputs) as networks see it, y (n, n_outputs) in the user's units."""


@dataclass(frozen=True)
class Baseline:
    """A baseline as sentences name it (`the constant's is 9.2`), what it is in words, and how it is fitted."""

    name: str
    subject: str
    definition: str
    fit: Fit
