"""What came of networks, read off the run that they were part of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from shoal.kernels.spec import NetworkSpec
from shoal.kernels.training.fleet import Job
from shoal.kernels.training.methods import METHODS
from shoal.kernels.training.outcomes import Outcomes

NEVER = np.iinfo(np.int64).max
"""Later than any step."""


@dataclass(frozen=True, slots=True)
class Trained:
    """One network's result: flat parameters (n_params,), and the cost per output at `recorded_steps`.

    `costs` is (n_recorded, n_outputs) float64, in the order of the steps; its row sums are half_mse, or the mean of
    another loss, without the penalty of `l2`. A network that diverged keeps what it recorded before `diverged_step`,
    the first step whose cost was not finite. One that takes validation costs has `validation_costs` (n_validated,
    n_outputs), those at `validated_steps`, and of its parameters those of the lowest, unless it diverged;
    `stopped_step` is where they stopped it, if that was before its last step.

    With dropout, a full batch records the costs of the passes that are trained, with the masks of their step, as a loop
    around PyTorch's loss does; costs of mini-batches, recorded over all samples, and validation costs are without
    masks, as predictions are.
    """

    params: np.ndarray
    recorded_steps: np.ndarray
    costs: np.ndarray
    diverged_step: int | None
    stopped_step: int | None = None
    validated_steps: np.ndarray | None = None
    validation_costs: np.ndarray | None = None

    @property
    def status(self) -> str:
        """One of "diverged", "stopped" (early) or "finished"."""
        if self.diverged_step is not None:
            return "diverged"
        return "finished" if self.stopped_step is None else "stopped"

    @property
    def best_step(self) -> int | None:
        """The step whose parameters are kept, that of the lowest validation cost; None where it takes none."""
        if self.validated_steps is None or self.validation_costs is None or not len(self.validated_steps):
            return None
        costs = np.cumsum(self.validation_costs, axis=1)[:, -1]  # one after the other, as the kernels add them
        return int(self.validated_steps[np.where(np.isfinite(costs), costs, np.inf).argmin()])


@dataclass(frozen=True, slots=True)
class Results:
    """What came of n networks that differ in their replicate alone, in arrays: see `Trained`, which is one of them.

    A network has the first `n_recorded` (n,) of `costs` (n, n_records, n_outputs), those at `recorded_steps`
    (n_records,), and the first `n_validated` (n,) of `validation_costs`; what stands behind them is no cost of its own.
    `diverged_step` and `stopped_step` (n,) are -1 where there is none.
    """

    params: np.ndarray
    recorded_steps: np.ndarray
    costs: np.ndarray
    n_recorded: np.ndarray
    diverged_step: np.ndarray
    stopped_step: np.ndarray
    validated_steps: np.ndarray | None = None
    validation_costs: np.ndarray | None = None
    n_validated: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.params)

    @property
    def best_step(self) -> np.ndarray:
        """`Trained.best_step` of each (n,), -1 where there is none."""
        if self.validated_steps is None or self.validation_costs is None or not len(self.validated_steps):
            return np.full(len(self), -1)
        costs = np.cumsum(self.validation_costs, axis=2)[:, :, -1]  # one after the other, as the kernels add them
        own = np.arange(costs.shape[1]) < np.asarray(self.n_validated)[:, np.newaxis]
        best = np.where(own & np.isfinite(costs), costs, np.inf).argmin(axis=1)
        return np.where(np.asarray(self.n_validated) > 0, self.validated_steps[best], -1)

    def taken(self, places: Any) -> Results:
        """Those at some places: numbers (m,), a mask (n,) or a slice."""
        own: dict[str, Any] = {
            name: None if (array := getattr(self, name)) is None else array[places] for name in OF_EACH
        }
        return replace(self, **own)

    def network(self, i: int) -> Trained:
        """One of them."""
        n, diverged, stopped = self.n_recorded[i], int(self.diverged_step[i]), int(self.stopped_step[i])
        validated: dict[str, np.ndarray] = {}
        if self.validated_steps is not None and self.validation_costs is not None and self.n_validated is not None:
            m = self.n_validated[i]
            validated = {"validated_steps": self.validated_steps[:m], "validation_costs": self.validation_costs[i, :m]}
        return Trained(
            np.ascontiguousarray(self.params[i]),
            self.recorded_steps[:n],
            self.costs[i, :n],
            None if diverged < 0 else diverged,
            None if stopped < 0 else stopped,
            **validated,
        )


OF_EACH = tuple(field.name for field in fields(Results) if not field.name.endswith("ed_steps"))
"""The arrays of `Results` that begin with the networks."""


def joined(parts: Sequence[Results]) -> Results:
    """The networks of all parts, which have one specification, one part behind the other."""
    if len(parts) == 1:
        return parts[0]
    own = {name: [getattr(part, name) for part in parts] for name in OF_EACH}
    whole: dict[str, Any] = {name: None if of[0] is None else np.concatenate(of) for name, of in own.items()}
    return replace(parts[0], **whole)


def results_of(spec: NetworkSpec, job: Job, outcomes: Outcomes) -> Results:
    """Read the results of a spec's replicates off a run that may have gone on longer, and recorded more, than it asks
    for."""
    last = spec.steps or 0
    own = METHODS[spec.optimizer].recorded_steps(last, spec.batch_size)
    costs, validation_costs = outcomes.costs()
    if len(own) < costs.shape[1]:
        costs = costs[:, np.searchsorted(job.record_steps, own)]
    stopped, ended = outcomes.stopped(), outcomes.ended()
    end = np.where(ended < 0, last, ended)
    is_bad = ~np.isfinite(costs.sum(axis=2))
    bad = np.where(is_bad.any(axis=1), own[is_bad.argmax(axis=1)], NEVER)
    bad = np.minimum(bad, np.where((stopped >= 0) & (stopped < last), stopped, NEVER))
    has_diverged = bad <= end
    results = Results(
        params=outcomes.snapshots(job.snapshot_steps.index(last)),
        recorded_steps=own,
        costs=costs,
        n_recorded=_n_before(own, bad, end),
        diverged_step=np.where(has_diverged, bad, -1),
        stopped_step=np.where(~has_diverged & (end < last), end, -1),
    )
    if not job.validation_steps:
        return results
    steps = np.array(job.validation_steps)
    own_steps = _n_before(steps, bad, end)
    return replace(results, validated_steps=steps, validation_costs=validation_costs, n_validated=own_steps)


def _n_before(steps: np.ndarray, bad: np.ndarray, end: np.ndarray) -> np.ndarray:
    """How many of the steps come before the bad one, and are not beyond the end, (n,)."""
    return np.where(bad <= end, np.searchsorted(steps, bad), np.searchsorted(steps, end, side="right"))
