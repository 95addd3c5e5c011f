"""Many networks packed for the compiled calls: one row of a structured array each, ragged parts in flat arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from shoal.kernels.compile.jit import inlined
from shoal.kernels.compile.host import HOST
from shoal.kernels.simd.lanes import STRIPE
from shoal.kernels.network.tape import Layout
from shoal.kernels.compile.linked import Costs, Pointer, Table, unpacked
from shoal.kernels.simd.memory import LINE, empty, filled

GD, ADAM, RIDGE = range(3)
ALIGNMENT = 16
"""Rows of parameters begin at a multiple of it, in elements, so that vectors may run over their end."""

CACHE = 1 << 22
"""Bytes of activations and derivatives that stay in a core's second-level cache."""
TILE = 512
"""Samples in a tile at most."""
MAX_CHUNKS = 32
GRADIENTS = 1 << 18
"""Numbers in all partial gradients of a network."""


class Row(NamedTuple):
    """One job as the kernels see it: a row of `Fleet.jobs`, with offsets of its first number in the other arrays."""

    method: int  # GD, ADAM or RIDGE
    ops: int  # in `tapes`
    n_ops: int
    n_units: int
    tile: int  # samples worked on at once, where samples are in the lanes
    ld: int  # from one row of a tile to the next, in elements
    max_chunks: int  # that a pass over the samples is cut into, for threads to share
    batch_size: int  # 0: full batch
    params: int  # in `params`
    n_params: int
    records: int  # in `steps`: the steps whose cost is recorded
    n_records: int
    costs: int  # in `costs`
    snapshots: int  # in `steps`: the steps when parameters are kept; the last one ends the run
    n_snapshots: int
    rows: int  # of the first snapshot, in `snapshots`


JOB = np.dtype([(name, np.int64) for name in Row._fields])
row_at, N_ROW = unpacked(Row), len(Row._fields)


class Job(NamedTuple):
    """What networks that may be trained side by side have in common."""

    layout: Layout
    method: int
    batch_size: int
    record_steps: tuple[int, ...]
    snapshot_steps: tuple[int, ...]


class Fleet(NamedTuple):
    """Networks as the compiled calls take them, `stride` of them to a job, and what the calls fill.

    Arrays to Python, pointers to kernels. In `params`, `costs` and `snapshots` the numbers of a job's networks stand
    side by side. `rates` (learning rate), `penalties` (alpha of a ridge readout), `shuffle_keys` and `stopped` (step at
    which the cost was not finite, or -1) have one number for each network.
    """

    jobs: Table
    n_jobs: int
    tapes: Table
    steps: Table
    params: Pointer
    rates: Pointer
    penalties: Costs
    shuffle_keys: Table
    costs: Costs
    snapshots: Pointer
    stopped: Table


class Shared(NamedTuple):
    """What all networks see: X and Y feature-major and flat, rows `ld` apart, the last sample repeated to fill them."""

    X: Pointer
    Y: Pointer
    n: int
    ld: int
    n_features: int
    n_outputs: int


fleet_at, shared_at = unpacked(Fleet), unpacked(Shared)


@inlined
def job_at(fleet, i, like):
    """Job i of a fleet."""
    return row_at(fleet.jobs + i * N_ROW, like)


class Network(NamedTuple):
    """What belongs to one network alone: its initial parameters (n_params,), shuffle key, and rate or alpha."""

    params: np.ndarray
    shuffle_key: np.uint64
    rate: float


@np.errstate(over="ignore")  # a rate beyond the dtype is infinite there, and its network diverges
def pack(jobs: Sequence[tuple[Job, Sequence[Network]]], stride: int, n_outputs: int, dtype: np.dtype) -> Fleet:
    """Lay the jobs' networks out for the compiled calls, `stride` to a job; the last one stands in for missing ones."""
    layouts = list(dict.fromkeys(job.layout for job, _ in jobs))
    ops = dict(zip(layouts, _offsets([layout.ops.size for layout in layouts]), strict=True))
    schedules = {steps: 0 for job, _ in jobs for steps in (job.record_steps, job.snapshot_steps)}
    schedules = dict(zip(schedules, _offsets([len(steps) for steps in schedules]), strict=True))
    table = np.zeros(len(jobs), JOB)
    table["ops"] = [ops[job.layout] for job, _ in jobs]
    table["n_ops"] = [len(job.layout.ops) for job, _ in jobs]
    table["n_units"] = [job.layout.n_units for job, _ in jobs]
    table["tile"] = [tile_samples(job.layout, dtype) for job, _ in jobs]
    table["ld"] = table["tile"] + LINE // dtype.itemsize
    table["max_chunks"] = [max_chunks(job.layout) for job, _ in jobs]
    table["n_params"] = [job.layout.n_params for job, _ in jobs]
    for name in ("method", "batch_size"):
        table[name] = [getattr(job, name) for job, _ in jobs]
    for name, count in (("records", "n_records"), ("snapshots", "n_snapshots")):
        steps = [getattr(job, name[:-1] + "_steps") for job, _ in jobs]
        table[name], table[count] = [schedules[s] for s in steps], [len(s) for s in steps]
    sizes = -(-table["n_params"] // ALIGNMENT) * ALIGNMENT * stride
    table["params"], n_params = _offsets(sizes), int(sizes.sum())
    sizes = table["n_records"] * n_outputs * stride
    table["costs"], n_costs = _offsets(sizes), int(sizes.sum())
    sizes = table["n_params"] * table["n_snapshots"] * stride
    table["rows"], n_kept = _offsets(sizes), int(sizes.sum())
    members = [network for _, networks in jobs for network in _filled(networks, stride)]
    rates = np.array([network.rate for network in members])
    fleet = Fleet(
        jobs=table,
        n_jobs=len(table),
        tapes=np.concatenate([layout.ops.ravel() for layout in layouts]),
        steps=np.concatenate([np.array(steps, np.int64) for steps in schedules]),
        params=filled(np.zeros(n_params), dtype),
        rates=rates.astype(dtype),
        penalties=rates,
        shuffle_keys=np.array([network.shuffle_key for network in members], np.uint64).view(np.int64),
        costs=np.full(n_costs, np.nan),
        snapshots=empty(n_kept, dtype),
        stopped=np.full(len(members), -1, np.int64),
    )
    for i, network in enumerate(members):
        job, lane = table[i // stride], i % stride
        row = fleet.params[job["params"] : job["params"] + job["n_params"] * stride]
        row.reshape(-1, stride)[:, lane] = network.params
    return fleet


def tile_samples(layout: Layout, dtype: np.dtype) -> int:
    """Samples worked on at once, so that the activations of a tile and their derivatives stay in the cache."""
    samples, stripe = CACHE // (2 * layout.n_units * dtype.itemsize), stripe_samples(dtype)
    return stripe * max(1, min(TILE, max(TILE // 4, samples)) // stripe)


def stripe_samples(dtype: np.dtype) -> int:
    """Samples that rows have room for a whole number of."""
    return STRIPE * HOST.vector_bytes // dtype.itemsize


def max_chunks(layout: Layout) -> int:
    """Chunks of a pass at most: each has a gradient of its own to be kept and added, which large networks pay for."""
    return min(MAX_CHUNKS, max(4, GRADIENTS // layout.n_params)) // 2 * 2


def _filled(networks: Sequence[Network], stride: int) -> list[Network]:
    return [*networks, *[networks[-1]] * (stride - len(networks))]


def _offsets(sizes: Sequence[int] | np.ndarray) -> np.ndarray:
    return np.asarray(np.cumsum(sizes) - np.asarray(sizes))
