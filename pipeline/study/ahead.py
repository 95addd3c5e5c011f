"""What a sweep has ahead of it: networks that are known and to be trained, operations, time, memory and disk."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from operator import itemgetter

import numba
import numpy as np

from shoal.kernels.ensemble import NetworkSpec, Replicates, Samples
from shoal.kernels.training.run import Note
from shoal.pipeline.config import Config
from shoal.pipeline.data import Dataset
from shoal.pipeline.store.entries import Store
from shoal.pipeline.study import calibration, plan
from shoal.pipeline.study.flops import training_flops
from shoal.pipeline.study.grid import cells
from shoal.pipeline.study.identity import identifier
from shoal.pipeline.study.plan import Setting
from shoal.pipeline.study.training import SPEED, engines_of, lanes_of, operations_of

SAMPLE = 3
"""Networks of a sweep whose speed is looked at, at equal distances along its work."""
SAMPLES = 24
"""Of all sweeps together, about."""
TRIFLE = 0.5
"""Seconds, by the cautious rule of thumb (SPEED), that are not worth a calibration."""
PYTHON = 1e-4
"""Seconds of each network that no thread trains in."""


@dataclass(frozen=True)
class Ahead:
    """What is ahead: `operations` and `seconds` of what is to be trained, `memory` and `disk` (bytes) of all.

    Networks that stop early take less. Sweeps run one after the other: their sum has the memory of the largest.
    """

    networks: int = 0
    known: int = 0
    operations: int = 0
    seconds: float = 0.0
    memory: int = 0
    disk: int = 0

    def __add__(self, other: Ahead) -> Ahead:
        sums = {field.name: getattr(self, field.name) + getattr(other, field.name) for field in fields(self)}
        return Ahead(**sums | {"memory": max(self.memory, other.memory)})

    @property
    def to_train(self) -> int:
        """Networks that are not known."""
        return self.networks - self.known

    def __str__(self) -> str:
        found = f"{plan.amount(self.networks)} networks: {plan.amount(self.known)} known"
        if not self.to_train:
            return found
        about = "about " if self.seconds >= 1 else ""
        return (
            f"{found}, {plan.amount(self.to_train)} to train: {plan.amount(self.operations)} operations, {about}"
            f"{plan.duration(self.seconds)}; {plan.size(self.memory)} of memory, {plan.size(self.disk)} of disk"
        )


def of_study(config: Config, dataset: Dataset, kept: Store, note: Note) -> dict[str, Ahead]:
    """What every sweep has ahead, by name. Nothing is written but what the store keeps of calibrations and probes."""
    held, n, parts = kept.held(), dataset.n_train, dataset.parts
    name_of = [identifier(config, part) for part in parts]
    sample, found = max(1, min(SAMPLE, SAMPLES // len(config.sweeps))), dict[str, Ahead]()
    for name, sweep in config.sweeps.items():
        missing = [own for cell in cells(sweep, dataset.n_outputs, n) for own in cell.networks(len(parts))]
        if held:
            of = [int(own.numbers[0]) % len(parts) for own in missing]
            ids = [name_of[which](own) for which, own in zip(of, missing, strict=True)]
            every = np.concatenate([one.ids for one in held])
            likely = [i for i, own in enumerate(ids) if np.isin(own, every).any()]
            sizes = [len(parts[of[i]].train.x) for i in likely]
            engines = engines_of([missing[i].spec for i in likely], sizes, kept, config.dtype, note)
            for i, engine in zip(likely, engines, strict=True):
                known = np.concatenate([np.zeros(0, "S16"), *(one.ids for one in held if one.engine == engine)])
                missing[i] = Replicates(missing[i].spec, missing[i].numbers[~np.isin(ids[i], known)])
        found[name] = of_sweep(config, dataset, name, missing, kept, note, sample)
    return found


def of_sweep(
    config: Config,
    dataset: Dataset,
    name: str,
    missing: Sequence[Replicates],
    kept: Store,
    note: Note,
    sample: int = SAMPLE,
) -> Ahead:
    """What a sweep has ahead of it where these of its networks are not known; of folds, each counts as the smallest."""
    cost, n_missing = plan.cost(config.sweeps[name], Setting.of(config, dataset)), sum(len(n) for _, n in missing)
    trainings, part = list(trainings_of(missing)), min(dataset.parts, key=lambda part: len(part.train.x))
    sizes = part.n_inputs, len(part.train.x), len(part.validation.x)
    operations = sum(times * training_flops(spec, spec.steps or 0, *sizes) for spec, times in trainings)
    seconds = _seconds(trainings, part, config.dtype, kept, note, sample) + PYTHON * n_missing
    return Ahead(cost.networks, cost.networks - n_missing, round(operations), seconds, cost.memory, cost.disk)


def trainings_of(missing: Sequence[Replicates]) -> Iterator[tuple[NetworkSpec, int]]:
    """What is trained, and how many times: networks that differ in steps alone once, to the largest."""
    alike: dict[NetworkSpec, list[Replicates]] = {}
    for own in missing:
        if len(own.numbers):
            alike.setdefault(replace(own.spec.without_steps(), replicate=0), []).append(own)
    for group in alike.values():
        begun = np.zeros(0, np.int64)
        for spec, numbers in sorted(group, key=lambda own: own.spec.steps or 0, reverse=True):
            if n := len(np.setdiff1d(numbers, begun)):
                yield spec, n
            begun = np.union1d(begun, numbers)


def _seconds(
    trainings: Sequence[tuple[NetworkSpec, int]], dataset: Dataset, dtype: str, kept: Store, note: Note, sample: int
) -> float:
    """How long the threads take, where nothing else runs.

    A few networks are timed, at equal distances along the work: the mean of their seconds an operation is that of all.
    Those with networks in their lanes take as long with fewer.
    """
    threads: int = numba.config.NUMBA_NUM_THREADS
    train, validation = (Samples(split.x, split.y) for split in (dataset.train, dataset.validation))
    data = Samples(train.x, train.y, validation=validation)
    alike: Counter[NetworkSpec] = Counter()
    for spec, times in trainings:
        alike[replace(calibration.kind_of(spec), steps=spec.steps)] += times
    works, longest = list[tuple[float, float, NetworkSpec]](), 0.0
    for spec, n in alike.items():
        one, lanes = operations_of(spec, data), lanes_of(spec, data)
        works.append((one, one * lanes * math.ceil(n / lanes), spec))
        longest = max(longest, one * lanes if lanes > 1 else 0.0)
    total = sum(work for _, work, _ in works)
    if total <= TRIFLE * SPEED * threads:
        return total / (SPEED * threads)
    picked, done = list[NetworkSpec](), 0.0
    for _, work, spec in sorted(works, key=itemgetter(0)):
        done += work
        while len(picked) < sample and done >= (len(picked) + 0.5) * total / sample:
            picked.append(spec)
    of_one = calibration.speeds(picked, dataset, dtype, kept, note)
    return max(total / threads, longest) * sum(of_one) / len(of_one)
