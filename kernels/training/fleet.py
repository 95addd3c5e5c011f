"""Many networks packed for the compiled calls: one row of a structured array each, ragged parts in flat arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np

from shoal.kernels.compile.jit import inlined
from shoal.kernels.compile.linked import Doubles, Integers, Pointer, unpacked
from shoal.kernels.network.activate import with_addresses
from shoal.kernels.network.dropout import PAIRS as DROPOUT
from shoal.kernels.network.dropout import for_training
from shoal.kernels.network.tape import N_FIELDS, Layout
from shoal.kernels.simd.memory import LINE, empty, filled
from shoal.kernels.training import plan
from shoal.kernels.training.optimizers import OPTIMIZERS
from shoal.kernels.training.update import PAIRS

ALIGNMENT = 16
"""Rows of parameters begin at a multiple of it, in elements, so that vectors may run over their end."""


class JobRow(NamedTuple):
    """One job as the kernels see it: a row of `Fleet.jobs`, with offsets of its first number in the other arrays."""

    ops: int  # in `tapes`
    training_ops: int  # the same with dropout in it; `ops` again where there is none
    n_ops: int
    n_units: int
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
    is_direct: int  # whether a backward pass may add the gradient to the parameters
    update: int  # addresses of the optimizer's kernels (update.py), 0 where it has none
    compute_numbers: int


JOB = np.dtype([(name, np.int64) for name in JobRow._fields])
row_at, N_ROW = unpacked(JobRow), len(JobRow._fields)


class Job(NamedTuple):
    """What networks that may be trained side by side have in common; `hypers` are the method's own numbers."""

    layout: Layout
    method: str
    hypers: tuple[float, ...]
    batch_size: int
    record_steps: tuple[int, ...]
    snapshot_steps: tuple[int, ...]


class Fleet(NamedTuple):
    """Networks as the compiled calls take them, `stride` of them to a job, and what the calls fill.

    Arrays to Python, pointers to kernels. In `params`, `costs` and `snapshots` the numbers of a job's networks stand
    side by side. `rates` (learning rate), `shuffle_keys`, `dropout_keys` and `stopped` (step at which the cost was not
    finite, or -1) have one number for each network; `hypers` are float64, bit for bit.
    """

    jobs: Integers
    n_jobs: int
    tapes: Integers
    steps: Integers
    params: Pointer
    rates: Pointer
    hypers: Integers
    shuffle_keys: Integers
    dropout_keys: Integers
    costs: Doubles
    snapshots: Pointer
    stopped: Integers


class Shared(NamedTuple):
    """What all networks see: X and Y feature-major and flat, rows `ld` apart, the last sample repeated to fill them."""

    X: Pointer
    Y: Pointer
    n: int
    ld: int
    n_features: int
    n_outputs: int


def shared_data(x: np.ndarray, y: np.ndarray, dtype: np.dtype) -> Shared:
    """x (n, n_features) and y (n, n_outputs) as the kernels take them."""
    stripe = plan.stripe_samples(dtype)
    ld = -(-len(x) // stripe) * stripe
    X, Y = (filled(np.pad(v, ((0, ld - len(v)), (0, 0)), "edge").T, dtype) for v in (x, y))
    return Shared(X, Y, len(x), ld, x.shape[1], y.shape[1])


fleet_at, shared_at = unpacked(Fleet), unpacked(Shared)


@inlined
def job_at(fleet, i):
    """Job i of a fleet."""
    return row_at(fleet.jobs + i * N_ROW)


class Member(NamedTuple):
    """What belongs to one network alone: its initial parameters (n_params,), keys, and learning rate."""

    params: np.ndarray
    shuffle_key: np.uint64
    dropout_key: np.uint64
    rate: float


Key = TypeVar("Key")
Group = tuple[Job, Sequence[Member]]


@np.errstate(over="ignore")  # a rate beyond the dtype is infinite there, and its network diverges
def pack(groups: Sequence[Group], stride: int, lanes: str, n_outputs: int, dtype: np.dtype) -> Fleet:
    """Lay the jobs' networks out for the compiled calls, `stride` to a job; the last one stands in for missing ones.

    The kernels that they call have to be loaded.
    """
    jobs = [job for job, _ in groups]
    tapes = {layout: _tapes(layout, lanes, dtype) for layout in dict.fromkeys(job.layout for job in jobs)}
    layouts = _places({layout: tape.size * N_FIELDS for layout, tape in tapes.items()})
    schedules = _places({steps: len(steps) for job in jobs for steps in (job.record_steps, job.snapshot_steps)})
    hypers = _places({job.hypers: len(job.hypers) for job in jobs})
    addresses = {method: _addresses(lanes, method, dtype) for method in {job.method for job in jobs}}
    ends = np.zeros(3, np.int64)  # of params, costs and snapshots
    table = np.zeros(len(jobs), JOB)
    for i, job in enumerate(jobs):
        layout, tile = job.layout, plan.tile_samples(job.layout, dtype)
        params, costs, kept = ends.tolist()
        table[i] = JobRow(
            ops=layouts[layout],
            training_ops=layouts[layout] + (tapes[layout].size - len(layout.ops)) * N_FIELDS,
            n_ops=len(layout.ops),
            n_units=layout.n_units,
            n_masks=layout.n_masks,
            draw=DROPOUT[lanes].draw.address(dtype) if layout.n_masks else 0,
            tile=tile,
            ld=tile + LINE // dtype.itemsize,
            max_chunks=plan.max_chunks(layout),
            n_slices=plan.n_slices(layout),
            batch_size=job.batch_size,
            params=params,
            n_params=layout.n_params,
            records=schedules[job.record_steps],
            n_records=len(job.record_steps),
            costs=costs,
            snapshots=schedules[job.snapshot_steps],
            n_snapshots=len(job.snapshot_steps),
            kept=kept,
            hypers=hypers[job.hypers],
            **addresses[job.method],
        )
        sizes = (
            rounded_up(layout.n_params),
            len(job.record_steps) * n_outputs,
            layout.n_params * len(job.snapshot_steps),
        )
        ends += np.array(sizes) * stride
    members = [member for _, own in groups for member in (*own, *[own[-1]] * (stride - len(own)))]
    fleet = Fleet(
        jobs=table,
        n_jobs=len(table),
        tapes=np.concatenate([*tapes.values()]),
        steps=np.concatenate([np.array(steps, np.int64) for steps in schedules]),
        params=filled(np.zeros(ends[0]), dtype),
        rates=np.array([member.rate for member in members]).astype(dtype),
        hypers=np.array([*(number for own in hypers for number in own), 0.0]).view(np.int64),
        shuffle_keys=np.array([member.shuffle_key for member in members], np.uint64).view(np.int64),
        dropout_keys=np.array([member.dropout_key for member in members], np.uint64).view(np.int64),
        costs=np.full(ends[1], np.nan),
        snapshots=empty(ends[2], dtype),
        stopped=np.full(len(members), -1, np.int64),
    )
    for i, member in enumerate(members):
        job, lane = table[i // stride], i % stride
        row = fleet.params[job["params"] : job["params"] + job["n_params"] * stride]
        row.reshape(-1, stride)[:, lane] = member.params
    return fleet


def rounded_up(n: Any) -> Any:
    """n, up to the next multiple of ALIGNMENT."""
    return (n + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT


def _places(lengths: Mapping[Key, int]) -> dict[Key, int]:
    """Where each of the keys begins when they lie one behind the other."""
    ends = np.cumsum([0, *lengths.values()])
    return dict(zip(lengths, ends.tolist(), strict=False))


def _tapes(layout: Layout, lanes: str, dtype: np.dtype) -> np.ndarray:
    """A network's tape, and behind it that of training where it is another."""
    ops = with_addresses(layout.ops, lanes, dtype)
    return np.concatenate([ops, for_training(ops, lanes, dtype)]) if layout.n_masks else ops


def _addresses(lanes: str, method: str, dtype: np.dtype) -> dict[str, int]:
    """What a job's row has of its optimizer; zeros where its method has none."""
    optimizer = OPTIMIZERS.get(method)
    if optimizer is None:
        return dict.fromkeys(("n_states", "is_direct", "update", "compute_numbers"), 0)
    pair = PAIRS[lanes, method]
    return {
        "n_states": optimizer.n_states,
        "is_direct": optimizer.is_direct,
        "update": pair.update.address(dtype),
        "compute_numbers": pair.numbers.address(dtype) if pair.numbers else 0,
    }
