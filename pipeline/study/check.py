"""What `shoal check` finds: the faults of params.yaml, of the data it names, and of the two together; and the plan."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from shoal.pipeline import data, execution
from shoal.pipeline.config import Config, ConfigError, DataConfig, Fault, Sweep, examine
from shoal.pipeline.config import load as load_config
from shoal.pipeline.config.faults import Notice, below, shown
from shoal.pipeline.config.rules import branch_faults, known_features
from shoal.pipeline.data import calibration
from shoal.pipeline.hyperparameters import TRAINING, taking
from shoal.pipeline.paths import Paths
from shoal.pipeline.study import limits, plan
from shoal.pipeline.study.limits import Room
from shoal.pipeline.study.plan import Demand, Setting

SHOWN_NAMES = 10


@dataclass(frozen=True)
class Findings:
    """What there is to tell before anything runs: faults, what looks wrong, and without a fault what would be done."""

    faults: Sequence[Fault]
    notices: Sequence[Notice] = ()
    plan: Sequence[str] = ()
    study: tuple[Config, data.Dataset] | None = None
    """What the plan is of; None where there is a fault."""


def check(paths: Paths) -> Findings:
    """All faults at once; nothing is written."""
    try:
        config, faults = examine(paths)
    except ConfigError as error:
        return Findings(error.faults)
    if config is None:
        return Findings(faults)
    faults += [*_watched_file_faults(config.data, paths), *execution.faults(config.execution)]
    try:
        dataset = data.build(config, paths)
    except ConfigError as error:
        return Findings([*faults, *error.faults])
    faults += faults_against(config, dataset)
    faults = faults or _size_faults(config, dataset, paths)
    notices = [*dataset.notices, *_interval_notices(config, dataset)]
    if faults:
        return Findings(faults, notices)
    return Findings([], notices, _plan(config, dataset), (config, dataset))


def load(paths: Paths) -> tuple[Config, data.Dataset]:
    """What params.yaml says and the data stage wrote; raises ConfigError also where the two do not fit together, or
    what they ask for does not fit the machine."""
    config, dataset = load_config(paths), data.load(paths)
    if faults := list(faults_against(config, dataset)) or _size_faults(config, dataset, paths):
        raise ConfigError(faults)
    return config, dataset


def faults_against(config: Config, dataset: data.Dataset) -> Iterator[Fault]:
    """Faults of the sweeps that only the data can tell: batches beyond the training split, losses, branches' units."""
    for name, sweep in config.sweeps.items():
        where = below("sweeps", name)
        yield from _batch_faults(where, sweep, dataset.n_train)
        yield from _warmup_faults(where, sweep, dataset.n_train)
        yield from _loss_faults(where, sweep, dataset)
        if known_features(config.data) is None:
            yield from branch_faults(where, sweep, dataset.n_inputs)


def _size_faults(config: Config, dataset: data.Dataset, paths: Paths) -> list[Fault]:
    """Faults of a study that is too large; `config` has no other."""
    return list(limits.faults(config, dataset, Room.here(paths)))


def _watched_file_faults(settings: DataConfig, paths: Paths) -> Iterator[Fault]:
    """Files that DVC watches and that are not there; and files that are there, and that no stage lists."""
    for key, path in settings.files.items() if settings.source == "function" else ():
        if not (paths.root / path).is_file():
            allowed = "an existing file, relative to the folder of params.yaml (DVC watches it, whatever the source)"
            yield Fault(f"data.{key}", f"{shown(path)}, which does not exist", allowed)
    stages = paths.stages.read_text(encoding="utf-8", errors="replace") if paths.stages.is_file() else ""
    for key, path in settings.files.items():
        if stages and f"${{data.{key}}}" not in stages and path not in stages:
            allowed = f"a line - ${{data.{key}}} there for each file of params.yaml, and none for others"
            yield Fault("deps of the stage data", f"no {key} file", allowed, paths.below_root(paths.stages))


def _interval_notices(config: Config, dataset: data.Dataset) -> Iterator[Notice]:
    """An interval that will be empty, as too few rows are kept for it."""
    kept, level = dataset.calibration, config.interval
    if kept is not None and level is not None and calibration.too_few(len(kept.x), level):
        cut = [getattr(dataset, name) for name in config.data.fractions.shares]
        yield calibration.notice(len(kept.x), level, sum(len(split.x) for split in cut))


def _plan(config: Config, dataset: data.Dataset) -> list[str]:
    """Two lines: what would be trained on, and what would be trained."""
    first = dataset.parts[0]
    splits = [len(split.x) for split in (first.train, first.validation, dataset.test)]
    every = f" in each of {len(dataset.folds)} splits by folds" if dataset.folds else ""
    kept = f", {len(dataset.calibration.x):,} to calibrate" if dataset.calibration else ""
    source = "sin(x)" if config.data.source == "function" else ", ".join(config.data.files.values())
    columns = f"features {_some(dataset.feature_names)}; targets {_some(dataset.target_names)}"
    columns += f" (classes {_some(dataset.classes.names)})" if dataset.classes else ""
    sizes = f"{splits[0]:,} to train, {splits[1]:,} to validate{every}, {splits[2]:,} to test"
    n = sum(splits) + (len(dataset.calibration.x) if dataset.calibration else 0)
    costs = plan.costs(config, Setting.of(config, dataset))
    networks = _some([f"{name} {plan.amount(cost.networks)}" for name, cost in costs.items()])
    return [
        f"data: {source}, {n:,} rows: {sizes}{kept}; {columns}",
        f"plan: {sum(costs.values(), Demand())} ({networks})",
    ]


def _some(names: Sequence[str]) -> str:
    more = len(names) - SHOWN_NAMES
    return ", ".join(names[:SHOWN_NAMES]) + (f" and {more} more" if more > 0 else "")


def _loss_faults(where: str, sweep: Sweep, dataset: data.Dataset) -> Iterator[Fault]:
    """A loss that networks cannot be trained on for such targets, and a method that has none of theirs."""
    known = [cost.loss for cost in dataset.task.costs]
    if sweep.optimizer not in taking("loss") and TRAINING["loss"].default not in known:
        allowed = f"{', '.join(taking('loss'))}, as {dataset.task.targets}"
        yield Fault(below(where, "optimizer"), sweep.optimizer, allowed)
    for loss in sweep.levels("loss") if sweep.optimizer in taking("loss") else ():
        if loss not in known:
            yield Fault(below(where, "loss"), shown(loss), f"{', '.join(known)}, as {dataset.task.targets}")


def _batch_faults(where: str, sweep: Sweep, n_samples: int) -> Iterator[Fault]:
    for _, place, size in _items(where, sweep, "batch_size"):
        if size != "full" and size > n_samples:
            allowed = f"whole numbers from 1 to {n_samples}, the number of training samples, or full"
            yield Fault(place, shown(size), allowed)


def _warmup_faults(where: str, sweep: Sweep, n_samples: int) -> Iterator[Fault]:
    """A learning rate that never ends to rise; an epoch of full batch is a step."""
    for activation, place, warmup in _items(where, sweep, "warmup"):
        least = min(_epochs(sweep, activation, n_samples), default=warmup + 1)
        if warmup >= least:
            end = f"as the shortest training ends after epoch {least} (under full batch: step {least})"
            yield Fault(place, shown(warmup), f"whole numbers from 0 to {least - 1}, {end}")


def _epochs(sweep: Sweep, activation: str, n_samples: int) -> Iterator[int]:
    """How many epochs the networks of an activation, or of `all`, are trained; none where that has a fault."""
    for name in sweep.activation or ("all",) if activation == "all" else (activation,):
        lengths, sizes = (
            found.get("all", found.get(name, ())) for found in map(sweep.by_activation, (sweep.duration, "batch_size"))
        )
        for size in sizes:
            in_epoch = 1 if size == "full" or sweep.duration == "epochs" else math.ceil(n_samples / size)
            yield from (math.ceil(length / in_epoch) for length in lengths)


def _items(where: str, sweep: Sweep, key: str) -> Iterator[tuple[str, str, Any]]:
    """Activation (or `all`), place and value of every value of a hyper-parameter."""
    for activation, values in sweep.by_activation(key).items():
        place = below(where, key)
        if activation != "all":
            place = below(place, activation)
        for i, value in enumerate(values):
            yield activation, below(place, i) if len(values) > 1 else place, value
