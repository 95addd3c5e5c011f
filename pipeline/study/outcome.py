"""What became of trained networks, in the targets' own units."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from shoal.kernels.ensemble import NetworkSpec, Results, predict
from shoal.pipeline.data import Dataset
from shoal.pipeline.tasks import Cost


@dataclass(frozen=True)
class Outcome:
    """What became of n networks that differ in their replicate alone, in the targets' own units.

    The first `n_recorded` (n,) of `cost` (n, n_steps) at `steps` (n_steps,) are the learning curve of each, all finite,
    the first `n_validated` (n,) of `validation_cost` (n, m) at `validated` (m,) that of the validation split, infinite
    beyond float64; m is 0 where the networks take none. One stopped early at its `stopped_step` (n,), and keeps the
    parameters of its `best_step` (n,); each is -1 where it does not, as is the `diverged_step` (n,).
    """

    steps: np.ndarray
    cost: np.ndarray
    n_recorded: np.ndarray
    diverged_step: np.ndarray
    stopped_step: np.ndarray
    best_step: np.ndarray
    validated: np.ndarray
    validation_cost: np.ndarray
    n_validated: np.ndarray

    @property
    def status(self) -> np.ndarray:
        """Of each, one of diverged, stopped (early, by its validation cost) and ok; a stopped network is as good as
        any."""
        codes = np.where(self.diverged_step >= 0, 0, np.where(self.stopped_step >= 0, 1, 2))
        return np.array(["diverged", "stopped", "ok"])[codes]


def outcome(results: Results, trained_on: Cost, scale: np.ndarray) -> Outcome:
    """Undo the standardisation of targets with `scale` (n_outputs,), as the cost that was trained on does.

    A cost that float64 holds only in standardised units is not finite in the user's own: there the network diverged.
    """
    cost = _in_units(results.costs, trained_on, scale)
    is_bad = ~np.isfinite(cost) & (np.arange(cost.shape[1]) < results.n_recorded[:, np.newaxis])
    first, has_bad = is_bad.argmax(axis=1), is_bad.any(axis=1)
    diverged = np.where(has_bad, results.recorded_steps[first], results.diverged_step)
    validated, n_validated = np.zeros(0, np.int64), np.zeros(len(results), np.int64)
    validation_cost = np.zeros((len(results), 0))
    if results.validated_steps is not None and results.validation_costs is not None:
        validated, n_validated = results.validated_steps, np.asarray(results.n_validated)
        validation_cost = _in_units(results.validation_costs, trained_on, scale)
        validation_cost = np.where(np.isnan(validation_cost), np.inf, validation_cost)
        alive = np.searchsorted(validated, diverged)
        n_validated = np.where(diverged < 0, n_validated, np.minimum(n_validated, alive))
    return Outcome(
        steps=results.recorded_steps,
        cost=cost,
        n_recorded=np.where(has_bad, first, results.n_recorded),
        diverged_step=diverged,
        stopped_step=np.where(diverged < 0, results.stopped_step, -1),
        best_step=np.where(diverged < 0, results.best_step, -1),
        validated=validated,
        validation_cost=validation_cost,
        n_validated=n_validated,
    )


def _in_units(costs: np.ndarray, trained_on: Cost, scale: np.ndarray) -> np.ndarray:
    """Costs (n, m, n_outputs) of standardised targets as the cost in the targets' own units, (n, m)."""
    n, m, n_outputs = costs.shape
    with np.errstate(over="ignore", invalid="ignore"):
        return trained_on.in_units(costs.reshape(n * m, n_outputs), scale).reshape(n, m)


def train_cost(spec: NetworkSpec, results: Results, end: Outcome, dataset: Dataset) -> np.ndarray:
    """The cost over the training split of the parameters that each network ends with, (n,); NaN where it diverged.

    That is the end of its curve; of a network that keeps the parameters of its lowest validation cost, to which the end
    of the curve does not belong, the cost of their predictions (without dropout, as predictions are).
    """
    trained_on, (x, y) = (
        dataset.task.trained_on(spec.loss),
        (dataset.inputs(dataset.train), dataset.outputs(dataset.train)),
    )
    at_end = end.cost[np.arange(len(end.cost)), np.maximum(end.n_recorded - 1, 0)]
    costs: np.ndarray = np.where(end.diverged_step < 0, at_end, np.nan)
    for i in np.flatnonzero(end.best_step >= 0):
        y_hat = predict(spec.architecture, results.params[i], x)
        with np.errstate(over="ignore"):
            own = trained_on.of_samples(y_hat, y, spec.loss_hypers).mean(axis=0)
            costs[i] = trained_on.in_units(own[np.newaxis], dataset.y_scaling.scale)[0]
    return costs
