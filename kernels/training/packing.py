"""Packing a fleet: jobs of many networks each are laid out for the compiled calls, job by job and array by array."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeVar

import numpy as np

from shoal.kernels.network.activate import with_addresses
from shoal.kernels.network.cost import COSTS
from shoal.kernels.network.dropout import PAIRS as DROPOUT
from shoal.kernels.network.dropout import for_training
from shoal.kernels.network.tape import N_FIELDS, OP, Layout
from shoal.kernels.simd.memory import LINE, empty
from shoal.kernels.training import plan
from shoal.kernels.training.begun import restore
from shoal.kernels.training.fleet import JOB, Fleet, Job, JobRow, Members, rounded_up
from shoal.kernels.training.optimizers import OPTIMIZERS
from shoal.kernels.training.regularise import Regularised, regularising_addresses
from shoal.kernels.training.schedules import Rates, factors
from shoal.kernels.training.stopping import watches_of
from shoal.kernels.training.update import PAIRS

Key = TypeVar("Key")
Group = tuple[Job, Members]
"""A job, and the networks that are trained so."""


class _Places(NamedTuple):
    """Where what jobs have in common begins in the arrays of a fleet."""

    tapes: dict[Layout, np.ndarray]
    ops: dict[Layout, int]
    schedules: dict[tuple[int, ...], int]
    hypers: dict[tuple[float, ...], int]
    loss_hypers: dict[tuple[float, ...], int]
    rates: dict[Rates, int]


@np.errstate(over="ignore")  # a number beyond the dtype is infinite there, and its network diverges
def pack(groups: Sequence[Group], stride: int, lanes: str, dtype: np.dtype, pauses: bool = False) -> Fleet:
    """Lay networks out for the compiled calls, `stride` of a group to a row of jobs; the last one of a group stands in
    for missing ones. With `pauses` there is room for states.

    The kernels that they call have to be loaded.
    """
    at = _places([job for job, _ in groups], lanes, dtype)
    n_rows = [-(-members.n // stride) for _, members in groups]
    table = np.empty(sum(n_rows), JOB)
    ends, begin, filled_up = np.zeros(4, np.int64), 0, []  # of params, costs, snapshots and states
    for (job, members), n in zip(groups, n_rows, strict=True):
        table[begin : begin + n] = _row(job, at, stride, lanes, dtype)
        sizes = np.array(_sizes(job)) * stride
        for offsets, of in ((("params",), 0), (("costs", "validation_costs"), 1), (("kept",), 2), (("states",), 3)):
            for name in offsets:
                table[name][begin : begin + n] += ends[of] + sizes[of] * np.arange(n)
        filled_up.append(_filled_up(members, n * stride))
        ends, begin = ends + sizes * n, begin + n

    def column(name: str) -> np.ndarray:
        return np.concatenate([getattr(members, name) for members in filled_up])

    data, is_watched = column("data"), any(job.validation_steps for job, _ in groups)
    fleet = Fleet(
        jobs=table,
        n_jobs=len(table),
        tapes=np.concatenate([tape.view(np.int64) for tape in at.tapes.values()]).view(OP),  # fields: slow to join
        steps=np.concatenate([np.array(steps, np.int64) for steps in at.schedules]),
        params=_params(groups, filled_up, int(ends[0]), stride, dtype),
        data=data,
        rates=column("rates"),
        factors=np.concatenate([factors(own) for own in at.rates]),
        l2=column("l2").astype(dtype),
        clip_norms=column("clip_norms"),
        weight_decays=column("weight_decays"),
        hypers=np.array([*(number for own in at.hypers for number in own), 0.0]).view(np.int64),
        loss_hypers=np.array([*(number for own in at.loss_hypers for number in own), 0.0]),
        shuffle_keys=column("shuffle_keys").view(np.int64),
        dropout_keys=column("dropout_keys").view(np.int64),
        costs=np.full(ends[1], np.nan),
        snapshots=empty(ends[2], dtype),
        stopped=np.full(len(data), -1, np.int64),
        ended=np.full(len(data), -1, np.int64),
        watches=watches_of(column("patience"), column("min_deltas")) if is_watched else np.zeros(0),
        begins=np.zeros(len(table), np.int64),
        states=empty(ends[3] if pauses else 0, dtype),
    )
    row = 0
    for members in filled_up:
        if members.begun:
            restore(fleet, row, members.begun)
        row += members.n // stride
    return fleet


def _places(jobs: Sequence[Job], lanes: str, dtype: np.dtype) -> _Places:
    tapes = {layout: _tapes(layout, lanes, dtype) for layout in dict.fromkeys(job.layout for job in jobs)}
    return _Places(
        tapes=tapes,
        ops=_ends({layout: tape.size * N_FIELDS for layout, tape in tapes.items()}),
        schedules=_ends({steps: len(steps) for job in jobs for steps in _schedules(job)}),
        hypers=_ends({job.hypers: len(job.hypers) for job in jobs}),
        loss_hypers=_ends({job.loss_hypers: len(job.loss_hypers) for job in jobs}),
        rates=_ends({job.rates: len(factors(job.rates)) for job in jobs}),
    )


def _row(job: Job, at: _Places, stride: int, lanes: str, dtype: np.dtype) -> JobRow:
    """The row of a job whose own numbers begin the arrays that no two have in common."""
    layout, tile, n_outputs = job.layout, plan.tile_samples(job.layout, dtype), int(job.layout.sizes[-1])
    return JobRow(
        ops=at.ops[layout],
        training_ops=at.ops[layout] + (at.tapes[layout].size - len(layout.ops)) * N_FIELDS,
        n_ops=len(layout.ops),
        n_units=layout.n_units,
        reads_input_once=layout.reads_input_once,
        n_masks=layout.n_masks,
        draw=DROPOUT[lanes].draw.address(dtype) if layout.n_masks else 0,
        tile=tile,
        ld=tile + LINE // dtype.itemsize,
        max_chunks=plan.max_chunks(layout),
        n_slices=plan.n_slices(layout),
        batch_size=job.batch_size,
        params=0,
        n_params=layout.n_params,
        records=at.schedules[job.record_steps],
        n_records=len(job.record_steps),
        costs=0,
        snapshots=at.schedules[job.snapshot_steps],
        n_snapshots=len(job.snapshot_steps),
        kept=0,
        states=0,
        hypers=at.hypers[job.hypers],
        factors=at.rates[job.rates],
        n_factors=len(factors(job.rates)),
        add_cost=COSTS[lanes, job.loss, job.is_weighted].address(dtype),
        loss_hypers=at.loss_hypers[job.loss_hypers],
        validations=at.schedules[job.validation_steps],
        n_validations=len(job.validation_steps),
        n_validation=job.n_validation,
        validation_costs=len(job.record_steps) * n_outputs * stride,
        add_validation_cost=_validation_kernel(job, lanes, dtype),
        n_samples=job.n_samples,
        n_outputs=n_outputs,
        **_addresses(lanes, job.method, job.regularised, dtype),
    )


def _sizes(job: Job) -> tuple[int, int, int, int]:
    """How many numbers one network has in `params`, `costs`, `snapshots` and `states`."""
    n_costs = len(job.record_steps) + len(job.validation_steps)
    n_params, optimizer = job.layout.n_params, OPTIMIZERS.get(job.method)
    n_states = n_params * optimizer.n_states if optimizer else 0
    return rounded_up(n_params), n_costs * int(job.layout.sizes[-1]), n_params * len(job.snapshot_steps), n_states


def _filled_up(members: Members, n: int) -> Members:
    """Members, and the last one again until there are n."""
    return members if n == members.n else members.taken(np.minimum(np.arange(n), members.n - 1))


def _params(groups: Sequence[Group], filled_up: Sequence[Members], n: int, stride: int, dtype: np.dtype) -> np.ndarray:
    """Initial parameters, those of the networks of a row side by side; zeros up to where the next row begins."""
    params, begin = empty(n, dtype), 0
    params[:] = 0
    for (job, _), members in zip(groups, filled_up, strict=True):
        n_params = job.layout.n_params
        size = members.n * rounded_up(n_params)
        rows = params[begin : begin + size].reshape(-1, rounded_up(n_params) * stride)[:, : n_params * stride]
        rows.reshape(-1, n_params, stride)[:] = members.params.reshape(-1, stride, n_params).transpose(0, 2, 1)
        begin += size
    return params


def _schedules(job: Job) -> tuple[tuple[int, ...], ...]:
    return job.record_steps, job.snapshot_steps, job.validation_steps


def _validation_kernel(job: Job, lanes: str, dtype: np.dtype) -> int:
    """The address of its loss' kernel, 0 where no validation cost is taken."""
    return COSTS[lanes, job.loss, job.is_validation_weighted].address(dtype) if job.validation_steps else 0


def _ends(lengths: Mapping[Key, int]) -> dict[Key, int]:
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
