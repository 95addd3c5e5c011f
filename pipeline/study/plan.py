"""What training takes, counted from the lists in params.yaml without making the grid that they span.

Networks, parameters and operations are exactly those of the grid (`flops` says what an operation is). Bytes are those
of the numbers and of what is kept beside each: somewhat less than in truth.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from itertools import product
from typing import Any

import numba
import numpy as np

from shoal.kernels.training.schedules import SCHEDULES
from shoal.pipeline.config import Config, Sweep
from shoal.pipeline.data import Dataset
from shoal.pipeline.hyperparameters import taking
from shoal.pipeline.study.shapes import Shapes, shapes_of

NETWORK_BYTES = 1_000
"""Of a network's result and rows in memory, without parameters and curve."""
POINT_BYTES = 8
"""Of a point of a learning curve in memory, in the targets' units, beside two numbers for each output."""
RUN_BYTES = 100
"""Of a network's rows in results/, without parameters and curve."""
COPIES = 4
"""Of a network's parameters in memory: as trained, as read off, in the table, in the file that is written."""
BATCH_POINTS = 51
"""Points of a mini-batch network's curve, at most."""
TILE = 128
"""Samples for which a thread keeps the activations of a network, at least."""


@dataclass(frozen=True)
class Setting:
    """What networks are trained on and with: columns, rows, bytes of a number, threads; and rows that they stop by.

    Folds, of which each network is trained on one, count as if each had as many rows.
    """

    n_features: int
    n_outputs: int
    n_samples: int
    itemsize: int
    threads: int
    n_validation: int
    n_folds: int = 1

    @classmethod
    def of(cls, config: Config, dataset: Dataset) -> Setting:
        """The setting of a study on this machine."""
        itemsize = 8 if config.dtype == "float64" else 4
        threads = numba.config.NUMBA_NUM_THREADS
        n_inputs, n_validation = dataset.n_inputs, len(dataset.parts[0].validation.x)
        sizes = (n_inputs, dataset.n_outputs, dataset.n_train, itemsize, threads, n_validation)
        return cls(*sizes, n_folds=len(dataset.parts))


@dataclass(frozen=True)
class Demand:
    """What training takes. Sweeps run one after the other: their sum has the `memory` of the largest.

    `memory` is what a sweep holds when all its results are there, `disk` its files in results/, both in bytes.
    `operations` is a fraction where an epoch ends with a smaller batch.
    """

    networks: int = 0
    parameters: int = 0
    operations: Fraction = Fraction(0)
    memory: int = 0
    disk: int = 0

    def __add__(self, other: Demand) -> Demand:
        sums = {field.name: getattr(self, field.name) + getattr(other, field.name) for field in fields(self)}
        return Demand(**sums | {"memory": max(self.memory, other.memory)})

    def __str__(self) -> str:
        bytes_ = f"{size(self.memory)} of memory, {size(self.disk)} of disk"
        networks = f"{amount(self.networks)} network{'s' if self.networks != 1 else ''}"
        return f"{networks}, {amount(self.parameters)} parameters, {amount(int(self.operations))} operations, {bytes_}"


def costs(config: Config, setting: Setting) -> dict[str, Demand]:
    """The cost of every sweep of a configuration without a fault, by name."""
    return {name: cost(sweep, setting) for name, sweep in config.sweeps.items()}


def cost(sweep: Sweep, setting: Setting) -> Demand:
    """The cost of one sweep, whose keys are sound and belong together."""
    shapes = shapes_of(sweep, setting.n_features, setting.n_outputs)
    networks = points = 0
    operations = Fraction(0)
    for activation in sweep.activation or (None,):
        lists = {key: sweep.values(key, activation) for key in sweep.hyperparameters}
        n = math.prod(map(len, lists.values()))
        networks += n
        if not _takes_steps(sweep):
            operations += 2 * shapes.products * setting.n_samples * n
            continue
        batches, lengths, schedules = lists["batch_size"], lists[sweep.duration], lists["schedule"]
        watches = _watches(lists)
        n_others = n // (len(batches) * len(lengths) * len(schedules) * watches.total())
        for batch, schedule, watch in product(batches, schedules, watches):
            full, times = batch == "full", n_others * watches[watch]
            in_epoch = 1 if full else math.ceil(setting.n_samples / batch)
            in_length = in_epoch if sweep.duration == "epochs" else 1
            points += times * (sum(lengths) + len(lengths) if full else BATCH_POINTS * len(lengths))
            is_apart = watch is not None or SCHEDULES[schedule].depends_on_end
            steps, recorded = _totals(lengths if is_apart else (max(lengths),), in_length, full)
            validated = 0 if watch is None else _validations(lengths, in_length, watch if full else in_epoch)
            points += times * validated
            per_step = Fraction(setting.n_samples, in_epoch)
            updates = (6 * shapes.products - 2 * shapes.first) * per_step * steps
            passes = setting.n_samples * recorded + setting.n_validation * validated
            operations += times * (updates + 2 * shapes.products * passes)
    replicates = sweep.replicates * setting.n_folds
    each = replicates * networks
    points *= shapes.n * replicates
    parameters = each * shapes.parameters
    return Demand(
        networks=each * shapes.n,
        parameters=parameters,
        operations=operations * replicates,
        memory=COPIES * setting.itemsize * parameters
        + NETWORK_BYTES * each * shapes.n
        + (POINT_BYTES + 16 * setting.n_outputs) * points
        + setting.threads * _workspace(sweep, shapes, setting),
        disk=setting.itemsize * parameters + RUN_BYTES * each * shapes.n + 8 * points,
    )


@lru_cache(maxsize=1000)
def _totals(lengths: tuple[int, ...], in_length: int, full: bool) -> tuple[int, int]:
    """Steps, and passes that record a cost, of networks of these lengths together; a length is so many steps."""
    steps = [length * in_length for length in lengths]
    return sum(steps), len(steps) if full else int(n_recorded(steps).sum())


@lru_cache(maxsize=1000)
def _validations(lengths: tuple[int, ...], in_length: int, every: int) -> int:
    """How many validation costs such networks take: at the start, every so many steps, and at the end."""
    return sum(1 - -length * in_length // every for length in lengths)


def n_recorded(steps: Sequence[int]) -> np.ndarray:
    """How many costs mini-batch networks of so many steps record, (n,): `recorded_steps` of thousands at a time."""
    most = [min(n, 10**15) for n in steps]  # more steps, as many points
    points = np.rint(np.geomspace(1, np.array(most, float), BATCH_POINTS - 1))
    found: np.ndarray = 2 + (np.diff(points, axis=0) > 0).sum(axis=0)
    return found


def _watches(lists: Mapping[str, Sequence[Any]]) -> Counter[int | None]:
    """How many ways of stopping and keeping these lists have, by the steps from one validation to the next under
    full batch; None for those without validations."""
    stopping = (lists[key] for key in ("keep", "patience", "validate_every"))
    ways = product(*stopping)
    return Counter(every if patience is not None or keep == "best" else None for keep, patience, every in ways)


def _workspace(sweep: Sweep, shapes: Shapes, setting: Setting) -> int:
    """Bytes of a thread: activations and their derivatives; gradients, or the matrix of a readout."""
    activations = 2 * setting.itemsize * TILE * shapes.most_units
    if _takes_steps(sweep):
        return activations + 4 * setting.itemsize * shapes.most_parameters
    return activations + 8 * (shapes.widest + setting.n_outputs) ** 2


def _takes_steps(sweep: Sweep) -> bool:
    return sweep.optimizer in taking("steps")


def amount(n: int) -> str:
    """A count as people read it: 1,443; 12.3 million; 3.4e12."""
    if n < 10**6:
        return f"{n:,}"
    return f"{n / 10**6:.1f} million" if n < 10**9 else f"{Decimal(n):.1e}".replace("e+", "e")


def duration(seconds: float) -> str:
    """A time as people read it: under 1 s; 8 s; 40 s; 3 min; 2 h; 5 days."""
    for length, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * length:
            return f"{amount(round(seconds / length))} {unit}"
    return f"{round(seconds, -1 if seconds >= 20 else 0):.0f} s" if seconds >= 1 else "under 1 s"


def size(n_bytes: int) -> str:
    """Bytes as people read them: 0.4 MB; 7.5 GB; 3.4e12 GB."""
    if n_bytes < 10**9:
        return f"{n_bytes / 10**6:.1f} MB"
    return f"{n_bytes / 10**9:,.1f} GB" if n_bytes < 10**15 else f"{amount(n_bytes // 10**9)} GB"
