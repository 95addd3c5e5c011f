"""How much work networks are, and how much of it is done: what the order of jobs and the time left go by."""

from __future__ import annotations

from typing import Any

import numpy as np

from shoal.kernels.training.fleet import Fleet

ACTIVATION = 40.0
"""Operations that a unit counts beside its multiply-adds: wide and narrow networks then take their share of time."""

BEGINNING = 1.5e6
"""Operations that it counts to begin a job, which is what small readouts take."""


def operations(
    n_params: Any, n_units: Any, batch_size: Any, n_steps: Any, n_records: Any, n_samples: Any, n_validated: Any = 0
) -> Any:
    """Operations of training, of numbers or of arrays of one shape; a batch size of 0 is the full batch.

    A step is three forward passes over its samples. A recorded cost is one over all samples, which the full batch has
    from its steps. `n_validated` are the samples of all validation costs.
    """
    full = batch_size == 0
    in_steps = 3.0 * np.where(full, n_samples, batch_size) * n_steps
    in_records = n_samples * np.where(full, 1, n_records)
    return (2.0 * n_params + ACTIVATION * n_units) * (in_steps + in_records + n_validated) + BEGINNING


def of_fleet(fleet: Fleet, stride: int) -> np.ndarray:
    """Operations of each job, (n_jobs,)."""
    jobs = fleet.jobs
    n_steps = fleet.steps[jobs["snapshots"] + jobs["n_snapshots"] - 1]
    n_validated = jobs["n_validations"] * jobs["n_validation"]
    one: np.ndarray = operations(
        jobs["n_params"],
        jobs["n_units"],
        jobs["batch_size"],
        n_steps,
        jobs["n_records"],
        jobs["n_samples"],
        n_validated,
    )
    return stride * one


def done(fleet: Fleet, work: np.ndarray, n_begun: int) -> float:
    """Operations done of `work` (n_jobs,) where the first n_begun jobs have been begun.

    A job is done where its last cost is written or all its networks have diverged or stopped; one that runs is as far
    as the last cost that it has written.
    """
    jobs, stride = fleet.jobs[:n_begun], len(fleet.stopped) // len(fleet.jobs)
    last = jobs["costs"] + (jobs["n_records"] - 1) * jobs["n_outputs"] * stride
    ends = np.maximum(fleet.stopped, fleet.ended)[: n_begun * stride]
    stopped = (ends.reshape(n_begun, stride) >= 0).all(axis=1)
    running = np.flatnonzero(np.isnan(fleet.costs[last]) & ~stopped)
    left = sum(work[i] * (1 - _share(fleet, jobs[i], jobs["n_outputs"][i] * stride)) for i in running)
    return float(work[:n_begun].sum() - left)


def _share(fleet: Fleet, job: Any, n_costs: int) -> float:
    """Which part of its steps a job had made when it last wrote its costs, `n_costs` of them each time."""
    costs = fleet.costs[job["costs"] : job["costs"] + job["n_records"] * n_costs].reshape(-1, n_costs)
    written = int((~np.isnan(costs)).any(axis=1).sum())
    n_steps = int(fleet.steps[job["snapshots"] + job["n_snapshots"] - 1])
    return int(fleet.steps[job["records"] + written - 1]) / n_steps if written and n_steps else 0.0
