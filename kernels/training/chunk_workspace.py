"""The memory of a thread that trains networks with samples in the lanes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from shoal.kernels.compile.linked import Doubles, Integers, Pointer, unpacked
from shoal.kernels.simd.memory import empty, filled
from shoal.kernels.training.cuts import SharedTask
from shoal.kernels.training.fleet import Fleet, rounded_up
from shoal.kernels.training.plan import MAX_CHUNKS
from shoal.kernels.training.team import TICKETS
from shoal.kernels.training.update import NUMBERS


class ChunkWorkspace(NamedTuple):
    """Memory of a thread: nothing is allocated while networks are trained.

    a, da, y: buffers of a tile of the thread's, targets and weights in y. ones: see `add_gradients`; rows: see
    `gather_columns`, unit_key: `draw_masks`. The rest is about the network that the thread owns: grads, costs,
    its partial gradients and costs chunk by chunk; total, its cost per output; states (`part` apart) of the optimizer,
    and the numbers of a step; rates: its learning rate, shrink: what its weights are decayed by, squares: those of its
    gradient, slice by slice, clip: what that is multiplied by; order, the shuffled samples; step_key, of its dropout;
    task, tickets, finished: its open loop.
    """

    a: Pointer
    da: Pointer
    y: Pointer
    ones: Pointer
    rows: Integers
    unit_key: Integers
    grads: Pointer
    costs: Doubles
    total: Doubles
    states: Pointer
    part: int
    numbers: Doubles
    rates: Pointer
    shrink: Pointer
    squares: Doubles
    clip: Pointer
    order: Integers
    step_key: Integers
    task: Integers
    tickets: Integers
    finished: Integers


workspace_at, N_WORKSPACE = unpacked(ChunkWorkspace), len(ChunkWorkspace._fields)


def workspace(fleet: Fleet) -> ChunkWorkspace:
    """Memory of a thread for the largest network of the fleet."""
    jobs, dtype = fleet.jobs, fleet.params.dtype
    sizes = rounded_up(jobs["n_params"])
    part, buffer = int(sizes.max()), int(((jobs["n_units"] + jobs["n_masks"]) * jobs["ld"]).max())
    n_outputs = int(jobs["n_outputs"].max())
    return ChunkWorkspace(
        a=empty(buffer, dtype),
        da=empty(buffer, dtype),
        y=empty((n_outputs + 1) * int(jobs["tile"].max()), dtype),
        ones=filled(np.ones(jobs["tile"].max()), dtype),
        rows=empty(int(jobs["tile"].max()), np.int64),
        unit_key=empty(1, np.int64),
        grads=empty(int((sizes * jobs["max_chunks"]).max()), dtype),
        costs=empty(MAX_CHUNKS * n_outputs),
        total=empty(n_outputs),
        states=empty(part * int(jobs["n_states"].max()), dtype),
        part=part,
        numbers=empty(NUMBERS),
        rates=empty(1, dtype),
        shrink=empty(1, dtype),
        squares=empty(MAX_CHUNKS),
        clip=empty(1, dtype),
        order=empty(int(jobs["n_samples"].max()), np.int64),
        step_key=empty(1, np.int64),
        task=empty(len(SharedTask._fields), np.int64),
        tickets=filled(np.zeros(TICKETS), np.int64),
        finished=filled(np.zeros(TICKETS), np.int64),
    )
