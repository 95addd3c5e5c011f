"""Where the results of networks are found in a fleet, and how far they are."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from shoal.kernels.training.begun import Begun
from shoal.kernels.training.fleet import Fleet, rounded_up


class Outcomes(NamedTuple):
    """What came of n networks of a job, the numbers of whose `places` there are given.

    `first` is the first row of the job in the fleet. All is given network by network; networks that have a row each
    stand one behind the other, and theirs are views.
    """

    fleet: Fleet
    first: int
    places: np.ndarray

    @property
    def n(self) -> int:
        """How many they are."""
        return len(self.places)

    def _numbers(self, values: np.ndarray, begin: str, *shape: int) -> np.ndarray:
        """Numbers (n, *shape) of the flat `values`, where those of a row's networks stand side by side."""
        rows, lanes = np.divmod(self.places, self.fleet.stride)
        start, size = int(self.fleet.jobs[self.first][begin]), math.prod(shape) * self.fleet.stride
        n_rows = int(rows.max()) + 1
        by_row = values[start : start + n_rows * size].reshape(n_rows, *shape, self.fleet.stride)
        return by_row[rows, ..., lanes] if self.fleet.stride > 1 else by_row[rows[0] : n_rows, ..., 0]

    def costs(self) -> tuple[np.ndarray, np.ndarray]:
        """Costs (n, n_records, n_outputs), and validation costs (n, n_validations, n_outputs)."""
        job = self.fleet.jobs[self.first]
        n_all = int(job["n_records"] + job["n_validations"])
        both = self._numbers(self.fleet.costs, "costs", n_all, int(job["n_outputs"]))
        return both[:, : job["n_records"]], both[:, job["n_records"] :]

    def snapshots(self, which: int) -> np.ndarray:
        """Parameters (n, n_params) at the snapshot step number `which`."""
        job = self.fleet.jobs[self.first]
        return self._numbers(self.fleet.snapshots, "kept", int(job["n_snapshots"]), int(job["n_params"]))[:, which]

    def stopped(self) -> np.ndarray:
        """The step (n,) at which the cost was not finite, or -1."""
        return self._steps(self.fleet.stopped)

    def ended(self) -> np.ndarray:
        """The step (n,) at which the validation cost stopped a network, or -1."""
        return self._steps(self.fleet.ended)

    def begun(self) -> Begun:
        """How far they are, while training pauses."""
        fleet, job = self.fleet, self.fleet.jobs[self.first]
        n_params, n_outputs = int(job["n_params"]), int(job["n_outputs"])
        is_watched = job["n_validations"] > 0
        return Begun(
            steps=self._steps(np.repeat(fleet.begins, fleet.stride)),
            params=self._numbers(fleet.params, "params", rounded_up(n_params))[:, :n_params],
            states=self._numbers(fleet.states, "states", int(job["n_states"]), n_params),
            costs=self._numbers(fleet.costs, "costs", int(job["n_records"] + job["n_validations"]), n_outputs),
            snapshots=self._numbers(fleet.snapshots, "kept", int(job["n_snapshots"]), n_params),
            stopped=self.stopped(),
            ended=self.ended(),
            watches=self._steps(fleet.watches.reshape(len(fleet.stopped), -1)) if is_watched else np.zeros((self.n, 0)),
        )

    def _steps(self, steps: np.ndarray) -> np.ndarray:
        own: np.ndarray = steps[self.first * self.fleet.stride + self.places]
        return own
