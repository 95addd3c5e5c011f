"""A sweep block -> its cells and the networks of each; names and ids do not depend on what else the sweep holds."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from shoal.kernels.ensemble import NetworkSpec
from shoal.kernels.network.architecture import Architecture
from shoal.kernels.network.laws import BIASES, STREAM, law_of
from shoal.pipeline.config import ByActivationKey, Sweep

IDENTITY_VERSION = 2
"""Raised when a network_id comes to mean something else."""


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

    def specs(self) -> list[NetworkSpec]:
        """The networks of the cell. Only replicate 0 comes from the assignment's stream, the others from their own."""
        others = replace(self.spec, initialiser="assignment") if self.spec.initialiser == STREAM else self.spec
        return [self.spec, *(replace(others, replicate=n) for n in range(1, self.replicates))]

    def columns(self) -> dict[str, Any]:
        """What the result tables say of the cell's networks, None where it does not apply."""
        sizes = self.shape.hidden_sizes
        return {
            "cell": self.name,
            "architecture": str(self.spec.architecture),
            "activation": self.shape.activation,
            "depth": None if sizes is None else len(sizes),
            "width": sizes[0] if sizes and len(set(sizes)) == 1 else None,
            "hidden_sizes": None if sizes is None else "-".join(map(str, sizes)),
            "optimizer": self.spec.optimizer,
            "learning_rate": self.spec.learning_rate,
            "batch_size": self.spec.batch_size,
            "steps": self.spec.steps,
            "alpha": self.spec.alpha,
        }


def cells(sweep: Sweep, n_outputs: int, n_train: int) -> list[Cell]:
    """The grid of a sweep in the order of its lists; `n_train` turns epochs into steps."""
    return [cell for shape in _shapes(sweep, n_outputs) for cell in _cells_of(sweep, shape, n_train)]


def network_id(spec: NetworkSpec, *, seed: int, dtype: str, data_hash: str, engine: str) -> str:
    """16 hex digits of a hash of everything that determines a network's result, to the last bit.

    `engine` names the instruction set and the compiler's versions (shoal.kernels.ensemble.ENGINE).
    """
    identity = {
        "version": IDENTITY_VERSION,
        "architecture": str(spec.architecture),
        "optimizer": spec.optimizer,
        "learning_rate": spec.learning_rate,
        "batch_size": spec.batch_size,
        "steps": spec.steps,
        "alpha": spec.alpha,
        "initialiser": spec.initialiser,
        "replicate": spec.replicate,
        "seed": seed,
        "dtype": dtype,
        "data": data_hash,
        "engine": engine,
    }
    if spec.bias is not None or spec.init_hypers:
        identity |= {"bias": spec.bias, "init_hypers": dict(spec.init_hypers)}
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]


def _shapes(sweep: Sweep, n_outputs: int) -> Iterator[Shape]:
    if sweep.architecture is not None:
        for name, text in sweep.architecture.items():
            yield Shape(name, Architecture.parse(text).with_output(n_outputs))
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
    if sweep.optimizer == "ridge":
        for alpha in sweep.values("alpha", shape.activation):
            name = shape.name + _suffix(sweep, "alpha", f"a{alpha!r}")
            yield Cell(name, shape, _spec(sweep, shape, alpha=alpha), sweep.replicates)
        return
    duration: ByActivationKey = "epochs" if sweep.epochs is not None else "steps"
    keys: tuple[ByActivationKey, ...] = ("learning_rate", "batch_size", duration)
    for rate, batch, length in itertools.product(*(sweep.values(key, shape.activation) for key in keys)):
        batch_size = None if batch == "full" else batch
        steps = length if duration == "steps" else length * math.ceil(n_train / (batch_size or n_train))
        name = shape.name + _suffix(sweep, "learning_rate", f"lr{rate!r}")
        name += _suffix(sweep, "batch_size", "bfull" if batch_size is None else f"b{batch_size:04d}")
        name += _suffix(sweep, duration, f"{duration[0]}{length:05d}")
        spec = _spec(sweep, shape, learning_rate=rate, batch_size=batch_size, steps=steps)
        yield Cell(name, shape, spec, sweep.replicates)


def _suffix(sweep: Sweep, key: str, text: str) -> str:
    """A key is in the names if the block gives it as a list: names then hold whichever values the list has."""
    return f"-{text}" if key in sweep.listed else ""


def _spec(sweep: Sweep, shape: Shape, **numbers: Any) -> NetworkSpec:
    return NetworkSpec(shape.architecture, sweep.init, 0, optimizer=sweep.optimizer, **_start(sweep), **numbers)


def _start(sweep: Sweep) -> dict[str, Any]:
    """What the block says of initial parameters beside the law's name, where it is not the default."""
    law, given = law_of(sweep.init), {"omega_0": sweep.omega_0}
    is_own = sweep.bias is None or BIASES[sweep.bias] is law.bias
    own = {name: value for name, value in given.items() if value is not None and value != law.numbers.get(name)}
    return {"bias": None if is_own else sweep.bias, "init_hypers": tuple(own.items())}
