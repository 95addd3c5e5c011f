"""A sweep block -> its cells and the networks of each; names do not depend on what else the sweep holds."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from shoal.kernels.ensemble import NetworkSpec, Replicates
from shoal.kernels.network.architecture import Architecture
from shoal.kernels.network.laws import BIASES, STREAM, law_of
from shoal.kernels.network.losses import LOSSES
from shoal.kernels.training import methods, schedules
from shoal.pipeline.config import Sweep
from shoal.pipeline.hyperparameters import FIRST, METHODS, OF_SCHEDULES, ON_A_LOSS, SCHEDULES, TRAINING


@dataclass(frozen=True)
class Shape:
    """One architecture of a sweep: its part of the cell's name, and the columns that describe it."""

    name: str
    architecture: Architecture
    activation: str | None = None
    hidden_sizes: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Cell:
    """One point of a sweep's grid, trained `replicates` times; `spec` is that of replicate 0."""

    name: str
    shape: Shape
    spec: NetworkSpec
    replicates: int

    def networks(self, folds: int = 1) -> list[Replicates]:
        """The networks of the cell. Only replicate 0 comes from the assignment's stream, the others from their own.

        Of so many folds there are `replicates` on each: replicate n is trained on fold n modulo their number, so that
        each network has a start of its own, and those of a fold are together.
        """
        numbers = np.arange(self.replicates * folds)
        if self.spec.initialiser != STREAM:
            return [Replicates(self.spec, numbers[fold::folds]) for fold in range(folds)]
        others = replace(self.spec, initialiser="assignment")
        own = [Replicates(others, numbers[fold or folds :: folds]) for fold in range(folds)]
        return [Replicates(self.spec, numbers[:1]), *(networks for networks in own if len(networks.numbers))]

    def specs(self, folds: int = 1) -> list[NetworkSpec]:
        """The same one by one, in the order of replicates."""
        specs = [replace(spec, replicate=n) for spec, numbers in self.networks(folds) for n in numbers.tolist()]
        return sorted(specs, key=lambda spec: spec.replicate)

    def columns(self) -> dict[str, Any]:
        """What the result tables say of the cell's networks, None where it does not apply."""
        sizes, spec = self.shape.hidden_sizes, self.spec
        keys = [key for key in (*FIRST, *METHODS[spec.optimizer].keys) if TRAINING[key].column]
        numbers = {"weight_decay": spec.decay, **dict(spec.hypers), **dict(spec.loss_hypers)}
        return {
            "cell": self.name,
            "architecture": str(spec.architecture),
            "activation": self.shape.activation,
            "depth": None if sizes is None else len(sizes),
            "width": sizes[0] if sizes and len(set(sizes)) == 1 else None,
            "hidden_sizes": None if sizes is None else "-".join(map(str, sizes)),
            "optimizer": spec.optimizer,
            **{key: numbers.get(key, getattr(spec, key, None)) for key in keys},
        }


def cells(sweep: Sweep, n_outputs: int, n_train: int) -> list[Cell]:
    """The grid of a sweep in the order of its lists; `n_train` turns epochs into steps."""
    return [cell for shape in _shapes(sweep, n_outputs) for cell in _cells_of(sweep, shape, n_train)]


def _shapes(sweep: Sweep, n_outputs: int) -> Iterator[Shape]:
    if sweep.architecture is not None:
        for name, architecture in sweep.architecture.items():
            yield Shape(name, architecture.with_output(n_outputs))
        return
    for activation in sweep.activation or ():
        for sizes, label in _hidden_sizes(sweep):
            architecture = Architecture.plain(sizes, activation, n_outputs)
            yield Shape(f"{activation}-{label}", architecture, activation, sizes)


def _hidden_sizes(sweep: Sweep) -> Iterator[tuple[tuple[int, ...], str]]:
    for sizes in sweep.hidden_sizes or ():
        yield sizes, "h" + "x".join(map(str, sizes))
    for depth, width in itertools.product(sweep.depth or (), sweep.width or ()):
        yield (width,) * depth, f"d{depth}-w{width:03d}"


def _cells_of(sweep: Sweep, shape: Shape, n_train: int) -> Iterator[Cell]:
    """The product of the lists; a key is in the names if the block gives it as a list, whichever values that has."""
    keys = sweep.hyperparameters
    for values in itertools.product(*(sweep.values(key, shape.activation) for key in keys)):
        numbers = _taken(dict(zip(keys, values, strict=True)))
        suffixes = (TRAINING[key].in_name(value) for key, value in numbers.items() if key in sweep.listed)
        yield Cell("-".join([shape.name, *suffixes]), shape, _spec(sweep, shape, numbers, n_train), sweep.replicates)


def _taken(numbers: dict[str, Any]) -> dict[str, Any]:
    """The hyper-parameters without those of other schedules than the one that is among them."""
    own = SCHEDULES[numbers["schedule"]].keys if "schedule" in numbers else ()
    return {key: value for key, value in numbers.items() if key in own or key not in OF_SCHEDULES}


def _spec(sweep: Sweep, shape: Shape, numbers: Mapping[str, Any], n_train: int) -> NetworkSpec:
    """The specification with these hyper-parameters, None where they are not given; `n_train` turns epochs into steps.

    Of the optimizer's, the schedule's and the loss' own numbers it has all that params.yaml knows, so that it is the
    same where one is written out.
    """
    given = {key: value for key, value in numbers.items() if value not in (None, "full")}
    if epochs := given.pop("epochs", None):
        given["steps"] = epochs * math.ceil(n_train / given.get("batch_size", n_train))
    schedule = schedules.SCHEDULES[given.get("schedule", "constant")]
    own = {**methods.METHODS[sweep.optimizer].hypers, **schedule.hypers}
    hypers = tuple((name, given.pop(name, own[name])) for name in METHODS[sweep.optimizer].keys if name in own)
    given |= _start(sweep) | _loss(given)
    if "patience" in given:
        given["keep"] = "best"
    return NetworkSpec(shape.architecture, sweep.init, 0, sweep.optimizer, hypers=hypers, **given)


def _loss(given: dict[str, Any]) -> dict[str, Any]:
    """The numbers of the loss that is given, all of them; takes those of every loss out of `given`."""
    numbers = {key: given.pop(key) for key in ON_A_LOSS if key != "loss" and key in given}
    own = LOSSES[given.get("loss", TRAINING["loss"].default)].hypers
    return {"loss_hypers": tuple((name, numbers.get(name, default)) for name, default in own.items())}


def _start(sweep: Sweep) -> dict[str, Any]:
    """What the block says of initial parameters beside the law's name, where it is not the default."""
    law, given = law_of(sweep.init), {"omega_0": sweep.omega_0}
    is_own = sweep.bias is None or BIASES[sweep.bias] is law.bias
    own = {name: value for name, value in given.items() if value is not None and value != law.numbers.get(name)}
    return {"bias": None if is_own else sweep.bias, "init_hypers": tuple(own.items())}
