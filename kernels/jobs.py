"""Many networks packed for the compiled call: one row of a structured array each, ragged parts in flat arrays."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from kernels.layout import Layout

DESCENT, RIDGE = range(2)

JOB = np.dtype(
    [
        ("method", np.int64),  # DESCENT or RIDGE
        ("tape", np.int64),  # row of `tapes`, `node_sizes`
        ("n_ops", np.int64),
        ("n_nodes", np.int64),
        ("batch_size", np.int64),  # 0: full batch
        ("shuffle_key", np.uint64),
        ("rate", np.float64),  # learning rate, or alpha of a ridge readout
        ("params", np.int64),  # offset of the parameter row in `params`
        ("n_params", np.int64),
        ("records", np.int64),  # offset in `record_steps` and `costs`
        ("n_records", np.int64),
        ("snapshots", np.int64),  # offset in `snapshot_steps`
        ("n_snapshots", np.int64),
        ("rows", np.int64),  # offset of the first snapshot's parameter row in `snapshots`
    ]
)


@dataclass(frozen=True)
class Job:
    """One network to train: `snapshot_steps` says when its parameters are kept, the last one when it ends."""

    layout: Layout
    params: np.ndarray
    method: int
    batch_size: int
    shuffle_key: np.uint64
    rate: float
    record_steps: np.ndarray
    snapshot_steps: np.ndarray


@dataclass(frozen=True)
class Packed:
    """Jobs as the compiled call takes them, and what it fills: costs, snapshots, stopped."""

    jobs: np.ndarray
    tapes: np.ndarray
    node_sizes: np.ndarray
    params: np.ndarray
    record_steps: np.ndarray
    costs: np.ndarray
    snapshot_steps: np.ndarray
    snapshots: np.ndarray
    stopped: np.ndarray

    def curve(self, i: int) -> np.ndarray:
        """Costs (n_records, n_outputs) of job i."""
        job = self.jobs[i]
        return self.costs[job["records"] : job["records"] + job["n_records"]]

    def snapshot(self, i: int, which: int) -> np.ndarray:
        """Parameters (n_params,) of job i at its snapshot step number `which`."""
        start = self.jobs[i]["rows"] + which * self.jobs[i]["n_params"]
        return self.snapshots[start : start + self.jobs[i]["n_params"]]


def pack(jobs: Sequence[Job], n_outputs: int, dtype: np.dtype) -> Packed:
    """Lay the jobs side by side; costs are float64, parameters and snapshots of `dtype`."""
    layouts = {id(job.layout): job.layout for job in jobs}
    tape_of = {key: row for row, key in enumerate(layouts)}
    tapes = np.zeros((len(layouts), max(len(layout.ops) for layout in layouts.values()), 5), np.int64)
    node_sizes = np.zeros((len(layouts), max(len(layout.sizes) for layout in layouts.values())), np.int64)
    for row, layout in enumerate(layouts.values()):
        tapes[row, : len(layout.ops)] = layout.ops
        node_sizes[row, : len(layout.sizes)] = layout.sizes
    table = np.zeros(len(jobs), JOB)
    table["tape"] = [tape_of[id(job.layout)] for job in jobs]
    table["n_ops"] = [len(job.layout.ops) for job in jobs]
    table["n_nodes"] = [len(job.layout.sizes) for job in jobs]
    for name in ("method", "batch_size", "shuffle_key", "rate"):
        table[name] = [getattr(job, name) for job in jobs]
    table["params"], table["n_params"], n_params = _offsets(job.params.size for job in jobs)
    table["records"], table["n_records"], n_records = _offsets(job.record_steps.size for job in jobs)
    table["snapshots"], table["n_snapshots"], _ = _offsets(job.snapshot_steps.size for job in jobs)
    table["rows"], _, n_kept = _offsets(job.params.size * job.snapshot_steps.size for job in jobs)
    params = np.empty(n_params, dtype)
    np.concatenate([job.params for job in jobs], out=params, casting="same_kind")
    return Packed(
        jobs=table,
        tapes=tapes,
        node_sizes=node_sizes,
        params=params,
        record_steps=np.concatenate([job.record_steps for job in jobs]),
        costs=np.full((n_records, n_outputs), np.nan),
        snapshot_steps=np.concatenate([job.snapshot_steps for job in jobs]),
        snapshots=np.empty(n_kept, dtype),
        stopped=np.full(len(jobs), -1, np.int64),
    )


def _offsets(lengths: Iterable[int]) -> tuple[np.ndarray, np.ndarray, int]:
    sizes = np.fromiter(lengths, np.int64)
    ends = np.cumsum(sizes)
    return ends - sizes, sizes, int(ends[-1])
