"""Learning curves as a tracking store gets them: few points, evenly spaced on a log scale, finite ones alone."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd

from shoal.pipeline.statistics import quantiles

CURVE_POINTS = 50
BAND = {"": 0.5, "_q1": 0.25, "_q3": 0.75}
"""Endings of the names of the curves of a cell, and the quantile over its networks that each shows."""

Curve = list[tuple[int, float]]


class Curves:
    """The learning curves of a sweep by network_id, from a table with the columns network_id, step and that of a cost.

    Networks that `stopped` early keep their last cost beyond the end of their curves.
    """

    def __init__(self, table: pd.DataFrame, column: str = "cost", stopped: Collection[str] = ()) -> None:
        table, self._stopped = table.dropna(subset=[column]), frozenset(stopped)
        codes, ids = pd.factorize(table["network_id"])
        steps = table["step"].to_numpy(np.int64)
        order = np.lexsort((steps, codes))
        self._steps, self._costs = steps[order], table[column].to_numpy(np.float64)[order]
        self._start = dict(zip(ids, np.searchsorted(codes[order], np.arange(len(ids))), strict=True))
        self._count = dict(zip(ids, np.bincount(codes, minlength=len(ids)), strict=True))

    def band(self, networks: Sequence[str], name: str) -> dict[str, Curve]:
        """Median and quartiles of the cost over the named networks, at no more than CURVE_POINTS steps each.

        `name` is what the store calls the median.

        A network without a finite value at a step has diverged and counts as infinite there.
        """
        curves = [self._curve(network) for network in networks]
        steps = thinned(np.unique(np.concatenate([steps for steps, _ in curves])))
        values = np.full((len(curves), len(steps)), np.inf)
        for network, row, (own, costs) in zip(networks, values, curves, strict=True):
            at = np.isin(steps, own, assume_unique=True)
            row[at] = costs[np.searchsorted(own, steps[at])]
            if network in self._stopped and len(own):
                row[steps > own[-1]] = costs[-1]
        values[np.isnan(values)] = np.inf
        return {name + ending: _finite(steps, quantiles(values, q)) for ending, q in BAND.items()}

    def single(self, network: str, name: str) -> dict[str, Curve]:
        """The cost of one network at no more than CURVE_POINTS steps."""
        steps, costs = self._curve(network)
        at = np.isin(steps, thinned(steps), assume_unique=True)
        return {name: _finite(steps[at], costs[at])}

    def _curve(self, network: str) -> tuple[np.ndarray, np.ndarray]:
        """Steps (n,) and costs (n,) of a network; none where it has no curve."""
        start = self._start.get(network, 0)
        part = slice(start, start + self._count.get(network, 0))
        return self._steps[part], self._costs[part]


def thinned(steps: np.ndarray) -> np.ndarray:
    """At most CURVE_POINTS of the sorted steps (n,), first and last among them, evenly spaced on a log scale."""
    if len(steps) <= CURVE_POINTS:
        return steps
    wanted = np.geomspace(1, steps[-1] - steps[0] + 1, CURVE_POINTS) + steps[0] - 1
    return np.unique(steps[np.searchsorted(steps, np.rint(wanted))])


def _finite(steps: np.ndarray, values: np.ndarray) -> Curve:
    return [(int(step), float(value)) for step, value in zip(steps, values, strict=True) if np.isfinite(value)]
