"""Learning curves as a tracking store gets them: few points, evenly spaced on a log scale, finite ones alone."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from shoal.pipeline.statistics import quantiles
from shoal.pipeline.store import LearningCurves

CURVE_POINTS = 50
BAND = {"": 0.5, "_q1": 0.25, "_q3": 0.75}
"""Endings of the names of the curves of a cell, and the quantile over its networks that each shows."""

Curve = list[tuple[int, float]]


class Curves:
    """The learning curves of a sweep by network_id, those of one cost.

    Networks that `stopped` early keep their last cost beyond the end of their curves.
    """

    def __init__(self, curves: LearningCurves, column: str = "cost", stopped: Collection[str] = ()) -> None:
        self._curves, self._column, self._stopped = curves, column, frozenset(stopped)

    def band(self, networks: Sequence[str], name: str) -> dict[str, Curve]:
        """Median and quartiles of the cost over the named networks, at no more than CURVE_POINTS steps each.

        `name` is what the store calls the median.

        A network without a finite value at a step has diverged and counts as infinite there.
        """
        steps, values = self._curves.of(networks, self._column)
        own = ~np.isnan(values)
        for i in [i for i, network in enumerate(networks) if network in self._stopped and own[i].any()]:
            [*_, last] = np.flatnonzero(own[i])
            values[i, last:] = values[i, last]
        at = np.isin(steps, thinned(steps), assume_unique=True)
        steps, values = steps[at], values[:, at]
        values[np.isnan(values)] = np.inf
        return {name + ending: _finite(steps, quantiles(values, q)) for ending, q in BAND.items()}

    def single(self, network: str, name: str) -> dict[str, Curve]:
        """The cost of one network at no more than CURVE_POINTS steps."""
        steps, [costs] = self._curves.of([network], self._column)
        at = np.isin(steps, thinned(steps), assume_unique=True)
        return {name: _finite(steps[at], costs[at])}


def thinned(steps: np.ndarray) -> np.ndarray:
    """At most CURVE_POINTS of the sorted steps (n,), first and last among them, evenly spaced on a log scale."""
    if len(steps) <= CURVE_POINTS:
        return steps
    wanted = np.geomspace(1, steps[-1] - steps[0] + 1, CURVE_POINTS) + steps[0] - 1
    return np.unique(steps[np.searchsorted(steps, np.rint(wanted))])


def _finite(steps: np.ndarray, values: np.ndarray) -> Curve:
    return [(int(step), float(value)) for step, value in zip(steps, values, strict=True) if np.isfinite(value)]
