"""Many networks as compiled calls take them: one row of a structured array each, ragged parts in flat arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from shoal.kernels.compile.jit import inlined
from shoal.kernels.compile.linked import Doubles, Integers, Pointer, unpacked
from shoal.kernels.network.tape import Layout
from shoal.kernels.training.begun import Begun
from shoal.kernels.training.regularise import Regularised
from shoal.kernels.training.schedules import Rates

ALIGNMENT = 16
"""Rows of parameters begin at a multiple of it, in elements, so that vectors may run over their end."""


class JobRow(NamedTuple):
    """One job as the kernels see it: a row of `Fleet.jobs`, with offsets of its first number in the other arrays."""

    ops: int  # in `tapes`
    training_ops: int  # the same with dropout in it; `ops` again where there is none
    n_ops: int
    n_units: int
    reads_input_once: int  # whether a dense layer, the first operation, is all that does
    n_masks: int  # units that dropout acts on
    draw: int  # address of the kernel that draws their masks, 0 where there are none
    tile: int  # samples worked on at once, where samples are in the lanes
    ld: int  # from one row of a tile to the next, in elements
    max_chunks: int  # that a pass over the samples is cut into, for threads to share
    n_slices: int  # that an update is cut into
    batch_size: int  # 0: full batch
    params: int  # in `params`
    n_params: int
    records: int  # in `steps`: the steps whose cost is recorded
    n_records: int
    costs: int  # in `costs`
    snapshots: int  # in `steps`: the steps when parameters are kept; the last one ends the run
    n_snapshots: int
    kept: int  # the first snapshot, in `snapshots`
    hypers: int  # in `hypers`
    n_states: int  # numbers that the optimizer keeps for each parameter
    states: int  # in `states`
    is_direct: int  # whether a backward pass may add the gradient to the parameters
    update: int  # addresses of the optimizer's kernels (update.py), 0 where it has none
    compute_numbers: int
    penalise: int  # and of those that do what is done beside its step (regularise.py), 0 where that is left out
    collect: int
    clip: int
    decay: int
    factors: int  # in `factors`: what the learning rates are multiplied by, epoch by epoch; the last number goes on
    n_factors: int
    add_cost: int  # and of the loss (network/cost.py)
    loss_hypers: int  # in `loss_hypers`
    validations: int  # in `steps`: those at which the validation cost is taken
    n_validations: int
    n_validation: int  # samples
    validation_costs: int  # in `costs`
    add_validation_cost: int  # as add_cost
    n_samples: int  # of the data set of each of its networks
    n_outputs: int


JOB = np.dtype([(name, np.int64) for name in JobRow._fields])
row_at, N_ROW = unpacked(JobRow), len(JobRow._fields)


class Job(NamedTuple):
    """What networks that may be trained side by side have in common; `hypers` are the numbers of method and loss.

    Their data sets may differ, but not in the number of samples. Where there are `validation_steps`, there is one
    snapshot, of the best parameters.
    """

    layout: Layout
    method: str
    hypers: tuple[float, ...]
    batch_size: int
    record_steps: tuple[int, ...]
    snapshot_steps: tuple[int, ...]
    n_samples: int
    is_weighted: bool = False
    loss: str = "squared"
    loss_hypers: tuple[float, ...] = ()
    validation_steps: tuple[int, ...] = ()
    n_validation: int = 0
    is_validation_weighted: bool = False
    regularised: Regularised = Regularised()
    rates: Rates = Rates()
    first_step: int = 0  # of networks that go on


class Fleet(NamedTuple):
    """Networks as the compiled calls take them, `stride` of them to a job, and what the calls fill.

    Arrays to Python, pointers to kernels. In `params`, `costs` and `snapshots` the numbers of a job's networks stand
    side by side. `data` (number of the data set), `rates` (the first learning rate), `l2`, `clip_norms`,
    `weight_decays`, `shuffle_keys`, `dropout_keys` and `stopped` (step at which the cost was not finite, or -1) have
    one number for each network, and so has `ended` (step at which its validation cost stopped it, or -1); `hypers` are
    float64, bit for bit; `watches` have N_WATCH numbers (stopping.py). `begins` has the step that each job makes next,
    one beyond its last where it is done; `states` are those of optimizers where jobs pause, empty where none does.
    """

    jobs: Integers
    n_jobs: int
    tapes: Integers
    steps: Integers
    params: Pointer
    data: Integers
    rates: Doubles
    factors: Doubles
    l2: Pointer
    clip_norms: Doubles
    weight_decays: Doubles
    hypers: Integers
    loss_hypers: Doubles
    shuffle_keys: Integers
    dropout_keys: Integers
    costs: Doubles
    snapshots: Pointer
    stopped: Integers
    ended: Integers
    watches: Doubles
    begins: Integers
    states: Pointer

    @property
    def stride(self) -> int:
        """Networks to a row of jobs."""
        return len(self.stopped) // len(self.jobs)


fleet_at = unpacked(Fleet)


@inlined
def job_at(fleet, i):
    """Job i of a fleet."""
    return row_at(fleet.jobs + i * N_ROW)


class Members(NamedTuple):
    """What belongs to each of many networks (n,) alone: parameters (n, n_params) to begin with, and a number each.

    Where they go on, all do.
    """

    params: np.ndarray
    data: np.ndarray
    rates: np.ndarray
    l2: np.ndarray
    clip_norms: np.ndarray
    weight_decays: np.ndarray
    patience: np.ndarray
    min_deltas: np.ndarray
    shuffle_keys: np.ndarray
    dropout_keys: np.ndarray
    begun: Begun | None = None

    @property
    def n(self) -> int:
        """How many they are."""
        return len(self.params)

    def taken(self, places: np.ndarray) -> Members:
        """Those at some places (m,)."""
        *own, begun = self
        arrays: list[Any] = [*(array[places] for array in own), begun and begun.taken(places)]
        return Members(*arrays)


def joined(parts: Sequence[Members]) -> Members:
    """The networks of all parts, which are of one layout, one part behind the other."""
    if len(parts) == 1:
        return parts[0]
    *own, begun = zip(*parts, strict=True)
    arrays: list[Any] = [*map(np.concatenate, own), begun[0] and Begun.joined(begun)]
    return Members(*arrays)


def rounded_up(n: Any) -> Any:
    """n, up to the next multiple of ALIGNMENT."""
    return (n + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT
