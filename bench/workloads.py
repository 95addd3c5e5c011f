"""The nine workloads, each a list of networks with what they start from, for shoal and for its peers.

Flops are counted as 2 N sum(fan_in fan_out) for the forward pass, as much for the gradients of the weights, and as
much without the first layer for the gradients of the activations. Activations count nothing. A cost that is recorded
apart from a gradient (mini-batches: about 50 times) counts a forward pass.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numba
import numpy as np

from bench.samples import Data, digits, pixels, waves
from shoal.kernels import streams as rng
from shoal.kernels.ensemble import NetworkSpec, Samples, Trained, initial_params, recorded_steps, train_on
from shoal.kernels.network.architecture import Architecture
from shoal.kernels.network.tape import layout_of

SEED = 9001
ASSIGNMENT_RATES = {"relu": 0.02, "tanh": 0.02, "linear": 0.005}
Weights = list[tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Workload:
    """Networks that are trained on the same data in the same way; `batch_size` None is full batch.

    With `own_targets` only the inputs are the same: y has a column for each network, that of its replicate.
    """

    name: str
    specs: tuple[NetworkSpec, ...]
    dtypes: tuple[str, ...] = ("float32", "float64")
    n_samples: int = 1000
    n_features: int = 1
    n_outputs: int = 1
    source: Callable[[int, int, int, int], Data] = waves
    own_targets: bool = False

    @property
    def loss(self) -> str:
        """Name of the loss."""
        return self.specs[0].loss

    @property
    def batch_size(self) -> int | None:
        """Samples of a step; None: all."""
        return self.specs[0].batch_size

    @property
    def steps(self) -> int:
        """Updates of each network."""
        return self.specs[0].steps or 0

    @property
    def epochs(self) -> int:
        """Passes through all samples; the last mini-batch of one may be smaller than the others."""
        return self.steps // -(-self.n_samples // (self.batch_size or self.n_samples))

    @property
    def recorded(self) -> np.ndarray:
        """Steps whose cost over all samples is recorded."""
        return recorded_steps(self.steps, self.batch_size)

    @cached_property
    def data(self) -> Data:
        """x (n_samples, n_features) and y (n_samples, n_outputs), or with a column for each network, float64."""
        return self.source(SEED, self.n_samples, self.n_features, self.n_outputs)

    def targets(self, specs: Sequence[NetworkSpec]) -> list[np.ndarray]:
        """y (n_samples, n_outputs) of each network."""
        y = self.data[1]
        return [y[:, [spec.replicate]] if self.own_targets else y for spec in specs]

    def train(self, specs: Sequence[NetworkSpec], dtype: str, n_threads: int | None = None) -> list[Trained]:
        """By the engine."""
        datasets = [Samples(self.data[0], y) for y in (self.targets(specs) if self.own_targets else [self.data[1]])]
        of = range(len(specs)) if self.own_targets else [0] * len(specs)
        return train_on(specs, datasets, of, seed=SEED, dtype=dtype, n_threads=n_threads)

    def sizes(self, spec: NetworkSpec) -> list[int]:
        """Units layer by layer, inputs and outputs included."""
        pairs = [W.shape for W, _ in self.weights(spec)]
        return [self.n_features, *[fan_out for fan_out, _ in pairs]]

    def activation(self, spec: NetworkSpec) -> str:
        """The name of the activation of the hidden layers."""
        return str(spec.architecture).split(" > ")[1]

    def weights(self, spec: NetworkSpec) -> Weights:
        """(W, b) layer by layer, W (fan_out, fan_in), float64: what the network starts from."""
        row = initial_params(spec, self.n_features, self.n_samples, SEED)
        return list(layout_of(spec.architecture, self.n_features).weights(row))

    def orders(self, spec: NetworkSpec) -> np.ndarray:
        """The shuffles (n_epochs, n_samples) int64 of a network trained on mini-batches."""
        orders = np.empty((self.epochs, self.n_samples), np.int64)
        _shuffle(rng.shuffle_keys(SEED, np.array([spec.replicate]))[0], orders)
        return orders

    def flops(self, spec: NetworkSpec) -> int:
        """Flops to train one network."""
        layers = list(zip(self.sizes(spec), self.sizes(spec)[1:], strict=False))
        forward = sum(fan_in * fan_out for fan_in, fan_out in layers)
        step = 3 * forward - layers[0][0] * layers[0][1]
        recorded = 1 if self.batch_size is None else len(self.recorded)
        return round(2 * self.n_samples * (step * self.epochs + forward * recorded))

    @property
    def total_flops(self) -> int:
        """Flops to train all networks."""
        return sum(self.flops(spec) for spec in self.specs)


@numba.njit
def _shuffle(key: np.uint64, orders: np.ndarray) -> None:
    for epoch in range(orders.shape[0]):
        rng.shuffle(key, epoch, orders[epoch], orders.shape[1])


def _plain(hidden: tuple[int, ...], activation: str, replicate: int = 0, **training: object) -> NetworkSpec:
    n_outputs = training.pop("n_outputs", 1)
    training.setdefault("learning_rate", ASSIGNMENT_RATES.get(activation))
    initialiser = training.pop("initialiser", "assignment")
    return NetworkSpec(Architecture.plain(hidden, activation, n_outputs), initialiser, replicate, **training)


def _base(activation: str) -> Workload:
    return Workload(f"W1 {activation}", (_plain((100, 100), activation, steps=500),))


def _sizes(name: str, replicates: int) -> Workload:
    cells = product(("relu", "tanh"), (1, 2, 3), (5, 10, 25, 50), range(replicates))
    return Workload(name, tuple(_plain((width,) * depth, a, r, steps=500) for a, depth, width, r in cells))


def _sgd(batch_size: int) -> Workload:
    cells = product(("relu", "tanh"), range(8))
    steps = 100 * 1000 // batch_size
    return Workload(
        f"W4 batch {batch_size}",
        tuple(_plain((50, 50), a, r, steps=steps, batch_size=batch_size) for a, r in cells),
    )


def _adam_grid(hidden: tuple[int, ...], n_rates: int, n_seeds: int, **training: object) -> tuple[NetworkSpec, ...]:
    cells = product(np.geomspace(1e-4, 1e-2, n_rates).tolist(), range(n_seeds))
    keys = {"optimizer": "adam", "batch_size": 32, "initialiser": "glorot_uniform"} | training
    return tuple(_plain(hidden, "relu", r, learning_rate=rate, **keys) for rate, r in cells)


def _images() -> Workload:
    training = {"initialiser": "siren", "optimizer": "adam", "learning_rate": 0.01, "steps": 500}
    specs = tuple(_plain((32, 32), "sin", digit, **training) for digit in range(1797))
    return Workload("W9", specs, n_samples=64, n_features=2, source=pixels, own_targets=True)


WORKLOADS = {
    workload.name: workload
    for workload in (
        _base("relu"),
        _base("tanh"),
        _base("linear"),
        _sizes("W2", 1),
        _sizes("W3", 20),
        _sgd(10),
        _sgd(1),
        Workload("W5", (_plain((256, 256, 256), "relu", learning_rate=0.005, steps=200),)),
        Workload(
            "W6",
            (_plain((32, 16), "tanh", optimizer="adam", learning_rate=0.001, steps=10_000, n_outputs=4),),
            ("float32",),
            10_000,
            4,
            4,
        ),
        Workload("W7", _adam_grid((64, 64), 10, 10, steps=20 * 111), n_samples=3525, n_features=20),
        Workload(
            "W8",
            _adam_grid((32,), 8, 8, steps=30 * 57, n_outputs=10, loss="cross_entropy"),
            n_samples=1797,
            n_features=64,
            n_outputs=10,
            source=digits,
        ),
        _images(),
    )
}
