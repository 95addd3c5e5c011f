"""Networks on their way: all that their next steps depend on, to be kept, and to go on from with equal bits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np


class Begun(NamedTuple):
    """How far networks (n,) of one job are. Shuffles, masks and learning rates follow from the step.

    steps: that which each makes next, or one beyond its last. params (n, n_params), states (n, n_states, n_params) of
    the optimizer. Curves so far, costs (n, n_records + n_validations, n_outputs); snapshots (n, n_snapshots, n_params).
    stopped, ended (n,), watches (n, N_WATCH or 0): see `Fleet`.
    """

    steps: np.ndarray
    params: np.ndarray
    states: np.ndarray
    costs: np.ndarray
    snapshots: np.ndarray
    stopped: np.ndarray
    ended: np.ndarray
    watches: np.ndarray

    def taken(self, places: Any) -> Begun:
        """Those at some places: numbers (m,), a mask (n,) or a slice."""
        return Begun(*(array[places] for array in self))

    @classmethod
    def joined(cls, parts: Sequence[Begun]) -> Begun:
        """The networks of all parts, one part behind the other."""
        return cls(*map(np.concatenate, zip(*parts, strict=True)))


def restore(fleet: Any, row: int, begun: Begun) -> None:
    """Put networks into a fleet from a row of its jobs on, all but their parameters; those of a row have one step."""
    job, stride, n = fleet.jobs[row], fleet.stride, len(begun.steps)
    parts = (fleet.costs, "costs", begun.costs), (fleet.snapshots, "kept", begun.snapshots)
    for values, begin, numbers in (*parts, (fleet.states, "states", begun.states)):
        side_by_side = numbers.reshape(n // stride, stride, -1).transpose(0, 2, 1)
        values[job[begin] : job[begin] + numbers.size] = side_by_side.ravel()
    networks = slice(row * stride, row * stride + n)
    fleet.stopped[networks], fleet.ended[networks] = begun.stopped, begun.ended
    if begun.watches.size:
        fleet.watches.reshape(len(fleet.stopped), -1)[networks] = begun.watches
    fleet.begins[row : row + n // stride] = begun.steps[::stride]
