"""Many networks packed for the compiled calls: one row of a structured array each, ragged parts in flat arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np

from shoal.kernels.compile.jit import inlined
from shoal.kernels.compile.linked import Doubles, Integers, Pointer, unpacked
from shoal.kernels.network.activate import with_addresses
from shoal.kernels.network.cost import COSTS
from shoal.kernels.network.dropout import PAIRS as DROPOUT
from shoal.kernels.network.dropout import for_training
from shoal.kernels.network.tape import N_FIELDS, Layout
from shoal.kernels.simd.memory import LINE, empty, filled
from shoal.kernels.training import plan
from shoal.kernels.training.optimizers import OPTIMIZERS
from shoal.kernels.training.regularise import Regularised, regularising_addresses
from shoal.kernels.training.schedules import Rates, factors
from shoal.kernels.training.stopping import watch_of
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


class Fleet(NamedTuple):
    """Networks as the compiled calls take them, `stride` of them to a job, and what the calls fill.

    Arrays to Python, pointers to kernels. In `params`, `costs` and `snapshots` the numbers of a job's networks stand
    side by side. `data` (number of the data set), `rates` (the first learning rate), `l2`, `clip_norms`,
    `weight_decays`, `shuffle_keys`, `dropout_keys` and `stopped` (step at which the cost was not finite, or -1) have
    one number for each network, and so has `ended` (step at which its validation cost stopped it, or -1); `hypers` are
    float64, bit for bit; `watches` have N_WATCH numbers (stopping.py).
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


fleet_at = unpacked(Fleet)


@inlined
def job_at(fleet, i):
    """Job i of a fleet."""
    return row_at(fleet.jobs + i * N_ROW)


class Member(NamedTuple):
    """What belongs to one network alone: initial parameters (n_params,), keys, data set, numbers."""

    params: np.ndarray
    shuffle_key: np.uint64
    dropout_key: np.uint64
    rate: float
    data: int = 0
    l2: float = 0.0
    clip_norm: float = np.inf
    weight_decay: float = 0.0
    patience: float = np.inf
    min_delta: float = 0.0


Key = TypeVar("Key")
Group = tuple[Job, Sequence[Member]]


@np.errstate(over="ignore")  # a number beyond the dtype is infinite there, and its network diverges
def pack(groups: Sequence[Group], stride: int, lanes: str, dtype: np.dtype) -> Fleet:
    """Lay the jobs' networks out for the compiled calls, `stride` to a job; the last one stands in for missing ones.

    The kernels that they call have to be loaded.
    """
    jobs = [job for job, _ in groups]
    tapes = {layout: _tapes(layout, lanes, dtype) for layout in dict.fromkeys(job.layout for job in jobs)}
    layouts = _places({layout: tape.size * N_FIELDS for layout, tape in tapes.items()})
    schedules = _places({steps: len(steps) for job in jobs for steps in _schedules(job)})
    hypers = _places({job.hypers: len(job.hypers) for job in jobs})
    loss_hypers = _places({job.loss_hypers: len(job.loss_hypers) for job in jobs})
    rates = _places({job.rates: len(factors(job.rates)) for job in jobs})
    kinds = {(job.method, job.regularised) for job in jobs}
    addresses = {kind: _addresses(lanes, *kind, dtype) for kind in kinds}
    ends = np.zeros(3, np.int64)  # of params, costs and snapshots
    table = np.zeros(len(jobs), JOB)
    for i, job in enumerate(jobs):
        layout, tile, n_outputs = job.layout, plan.tile_samples(job.layout, dtype), int(job.layout.sizes[-1])
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
            factors=rates[job.rates],
            n_factors=len(factors(job.rates)),
            add_cost=COSTS[lanes, job.loss, job.is_weighted].address(dtype),
            loss_hypers=loss_hypers[job.loss_hypers],
            validations=schedules[job.validation_steps],
            n_validations=len(job.validation_steps),
            n_validation=job.n_validation,
            validation_costs=costs + len(job.record_steps) * n_outputs * stride,
            add_validation_cost=_validation_kernel(job, lanes, dtype),
            n_samples=job.n_samples,
            n_outputs=n_outputs,
            **addresses[job.method, job.regularised],
        )
        sizes = (
            rounded_up(layout.n_params),
            (len(job.record_steps) + len(job.validation_steps)) * n_outputs,
            layout.n_params * len(job.snapshot_steps),
        )
        ends += np.array(sizes) * stride
    members = [member for _, own in groups for member in (*own, *[own[-1]] * (stride - len(own)))]
    watched = any(job.validation_steps for job in jobs)
    fleet = Fleet(
        jobs=table,
        n_jobs=len(table),
        tapes=np.concatenate([*tapes.values()]),
        steps=np.concatenate([np.array(steps, np.int64) for steps in schedules]),
        params=filled(np.zeros(ends[0]), dtype),
        data=np.array([member.data for member in members], np.int64),
        rates=np.array([member.rate for member in members]),
        factors=np.concatenate([factors(own) for own in rates]),
        l2=np.array([member.l2 for member in members]).astype(dtype),
        clip_norms=np.array([member.clip_norm for member in members]),
        weight_decays=np.array([member.weight_decay for member in members]),
        hypers=np.array([*(number for own in hypers for number in own), 0.0]).view(np.int64),
        loss_hypers=np.array([*(number for own in loss_hypers for number in own), 0.0]),
        shuffle_keys=np.array([member.shuffle_key for member in members], np.uint64).view(np.int64),
        dropout_keys=np.array([member.dropout_key for member in members], np.uint64).view(np.int64),
        costs=np.full(ends[1], np.nan),
        snapshots=empty(ends[2], dtype),
        stopped=np.full(len(members), -1, np.int64),
        ended=np.full(len(members), -1, np.int64),
        watches=np.array([watch_of(member.patience, member.min_delta) for member in members * watched]),
    )
    for i, member in enumerate(members):
        job, lane = table[i // stride], i % stride
        row = fleet.params[job["params"] : job["params"] + job["n_params"] * stride]
        row.reshape(-1, stride)[:, lane] = member.params
    return fleet


def rounded_up(n: Any) -> Any:
    """n, up to the next multiple of ALIGNMENT."""
    return (n + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT


def _schedules(job: Job) -> tuple[tuple[int, ...], ...]:
    return job.record_steps, job.snapshot_steps, job.validation_steps


def _validation_kernel(job: Job, lanes: str, dtype: np.dtype) -> int:
    """The address of its loss' kernel, 0 where no validation cost is taken."""
    return COSTS[lanes, job.loss, job.is_validation_weighted].address(dtype) if job.validation_steps else 0


def _places(lengths: Mapping[Key, int]) -> dict[Key, int]:
    """Where each of the keys begins when they lie one behind the other."""
    ends = np.cumsum([0, *lengths.values()])
    return dict(zip(lengths, ends.tolist(), strict=False))


def _tapes(layout: Layout, lanes: str, dtype: np.dtype) -> np.ndarray:
    """A network's tape, and behind it that of training where it is another."""
    ops = with_addresses(layout.ops, lanes, dtype)
    return np.concatenate([ops, for_training(ops, lanes, dtype)]) if layout.n_masks else ops


def _addresses(lanes: str, method: str, regularised: Regularised, dtype: np.dtype) -> dict[str, int]:
    """What a job's row has of its optimizer, and of what is done beside its step; zeros where its method has none."""
    optimizer = OPTIMIZERS.get(method)
    if optimizer is None:
        own = dict.fromkeys(("n_states", "is_direct", "update", "compute_numbers"), 0)
        return own | regularising_addresses(lanes, Regularised(), dtype)
    pair = PAIRS[lanes, method]
    return {
        "n_states": optimizer.n_states,
        "is_direct": optimizer.is_direct and not any(regularised),
        "update": pair.update.address(dtype),
        "compute_numbers": pair.numbers.address(dtype) if pair.numbers else 0,
    } | regularising_addresses(lanes, regularised, dtype)
