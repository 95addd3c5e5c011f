"""Networks that go on where a shorter run of them ended, as what that ended with is all that their steps depend on."""

from __future__ import annotations

import numpy as np

from shoal.kernels.results import Results
from shoal.kernels.spec import NetworkSpec
from shoal.kernels.training.begun import Begun
from shoal.kernels.training.optimizers import OPTIMIZERS


def can_go_on(spec: NetworkSpec) -> bool:
    """Whether one with fewer steps has all that it goes on from: an optimizer without a state has it in the parameters,
    and a full batch has recorded every cost."""
    has_steps = spec.steps is not None and spec.without_steps().steps is None
    return has_steps and spec.batch_size is None and OPTIMIZERS[spec.optimizer].n_states == 0


def begun_by(shorter: Results, steps: tuple[int, ...]) -> tuple[np.ndarray, Begun]:
    """Which networks (mask) go on, to all of these steps, and those as they ended with fewer: all but the diverged."""
    goes_on = shorter.diverged_step < 0
    params, costs = shorter.params[goes_on], shorter.costs[goes_on]
    (n, n_params), n_outputs = params.shape, costs.shape[2]
    every = np.zeros((n, steps[-1] + 1, n_outputs))
    every[:, : costs.shape[1]] = costs
    never = np.full(n, -1)
    return goes_on, Begun(
        steps=np.full(n, costs.shape[1] - 1),
        params=params,
        states=np.zeros((n, 0, n_params), params.dtype),
        costs=every,
        snapshots=np.zeros((n, len(steps), n_params), params.dtype),
        stopped=never,
        ended=never,
        watches=np.zeros((n, 0)),
    )
