"""What a sweep has come to so far: the best validation error, and how many networks diverged."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from shoal.kernels.ensemble import NetworkSpec, Trained
from shoal.pipeline.data import Dataset
from shoal.pipeline.numbers import number
from shoal.pipeline.predictor import Fitted, Predictor

SHARE = 0.01
"""Of the time of training, which may be spent on it."""


class SoFar:
    """Networks are looked at by their cost, the smallest first, for as long as there is time: one at least."""

    def __init__(self, dataset: Dataset) -> None:
        self._validation, self._scale = dataset.validation, dataset.error_scale
        names = dataset.feature_names, dataset.target_names
        scalings = dataset.x_scaling, dataset.y_scaling
        self._predictor = Predictor(*names, *scalings, (), dataset.preparation, classes=dataset.classes)
        self._error, self._headline = dataset.task.reported(dataset.n_outputs)[-1], dataset.task.in_units
        self._is_one = len(dataset.target_names) == 1
        self.best, self.n_diverged = np.inf, 0

    def add(self, specs: Sequence[NetworkSpec], results: Sequence[Trained], seconds: float) -> None:
        """Networks that took so many seconds together."""
        end = time.perf_counter() + SHARE * seconds
        sound = [i for i, result in enumerate(results) if result.diverged_step is None]
        self.n_diverged += len(results) - len(sound)
        for i in sorted(sound, key=lambda i: _cost(results[i])):
            self._look_at(specs[i], results[i])
            if time.perf_counter() > end:
                return

    def _look_at(self, spec: NetworkSpec, result: Trained) -> None:
        predictor = replace(self._predictor, networks=(Fitted(spec.architecture, result.params),))
        with np.errstate(over="ignore", invalid="ignore"):
            y_hat = predictor.predict(self._validation.x)
            self.best = min(self.best, self._error.measure(y_hat, self._validation.y, self._scale))

    def __str__(self) -> str:
        said = []
        if np.isfinite(self.best):
            name, value = self._error.name, self.best
            if self._is_one:
                name, value = self._headline.headline.name, float(self._headline.headline_of(np.array(value)))
            said.append(f"best {name} {number(value)}")
        if self.n_diverged:
            said.append(f"{self.n_diverged} diverged")
        return ", ".join(said)


def _cost(result: Trained) -> float:
    """What is known of a network without another pass: its smallest validation cost, or the last of its costs."""
    if result.validation_costs is not None and len(result.validation_costs):
        return float(np.nan_to_num(result.validation_costs.sum(axis=1), nan=np.inf).min())
    return float(result.costs[-1].sum()) if len(result.costs) else np.inf
