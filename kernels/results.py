"""What came of one network, read off the run that it was part of."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from shoal.kernels.spec import NetworkSpec
from shoal.kernels.training.fleet import Job
from shoal.kernels.training.methods import METHODS
from shoal.kernels.training.run import Outcomes


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


def result_of(spec: NetworkSpec, i: int, job: Job, outcomes: Outcomes) -> Trained:
    """Read a spec's own result off a run that may have gone on longer, and recorded more, than the spec asks for."""
    last = spec.steps or 0
    own = METHODS[spec.optimizer].recorded_steps(last, spec.batch_size)
    costs, stopped = outcomes.curve(i), outcomes.stopped(i)
    if len(own) < len(costs):
        costs = costs[np.searchsorted(job.record_steps, own)]
    params = outcomes.snapshot(i, job.snapshot_steps.index(last))
    bad = own[~np.isfinite(costs.sum(axis=1))]
    if 0 <= stopped < last:
        bad = np.append(bad, stopped)
    if not job.validation_steps:
        return _cut(params, own, costs, bad)
    ended = outcomes.ended(i)
    end = last if ended < 0 else ended
    trained = _cut(params, own[own <= end], costs[own <= end], bad[bad <= end])
    diverged, steps = trained.diverged_step, np.array(job.validation_steps)
    kept = steps <= end if diverged is None else steps < diverged
    return replace(
        trained,
        stopped_step=end if diverged is None and end < last else None,
        validated_steps=steps[kept],
        validation_costs=outcomes.validation_curve(i)[kept],
    )


def _cut(params: np.ndarray, steps: np.ndarray, costs: np.ndarray, bad: np.ndarray) -> Trained:
    """What a network recorded before the first of the steps whose cost was bad, if there are any."""
    if not bad.size:
        return Trained(params, steps, costs, None)
    kept = steps < bad.min()
    return Trained(params, steps[kept], costs[kept], int(bad.min()))
