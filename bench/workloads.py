"""The six workloads, each a list of networks with what they start from, for shoal and for its peers.

Flops are counted as 2 N sum(fan_in fan_out) for the forward pass, as much for the gradients of the weights, and as
much without the first layer for the gradients of the activations. Activations count nothing. A cost that is recorded
apart from a gradient (mini-batches: about 50 times) counts a forward pass.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numba
import numpy as np

from shoal.kernels import streams as rng
from shoal.kernels.ensemble import NetworkSpec, initial_params, recorded_steps
from shoal.kernels.network.architecture import Architecture
from shoal.kernels.network.tape import layout_of

SEED = 9001
ASSIGNMENT_RATES = {"relu": 0.02, "tanh": 0.02, "linear": 0.005}
Weights = list[tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Workload:
    """Networks that are trained on the same data in the same way; `batch_size` None is full batch."""

    name: str
    specs: tuple[NetworkSpec, ...]
    dtypes: tuple[str, ...] = ("float32", "float64")
    n_samples: int = 1000
    n_features: int = 1
    n_outputs: int = 1

    @property
    def batch_size(self) -> int | None:
        """Samples of a step; None: all."""
        return self.specs[0].batch_size

    @property
    def steps(self) -> int:
        """Updates of each network."""
        return self.specs[0].steps or 0

    @property
    def recorded(self) -> np.ndarray:
        """Steps whose cost over all samples is recorded."""
        return recorded_steps(self.steps, self.batch_size)

    @cached_property
    def data(self) -> tuple[np.ndarray, np.ndarray]:
        """x (n_samples, n_features) and y (n_samples, n_outputs), float64."""
        generator = np.random.RandomState(SEED)
        x = generator.uniform(-np.pi, np.pi, (self.n_samples, self.n_features))
        if self.n_features == 1:
            return x, np.sin(x)
        mixing = generator.normal(size=(self.n_features, self.n_outputs))
        return x, np.sin(x @ mixing)

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
        steps_per_epoch = -(-self.n_samples // (self.batch_size or self.n_samples))
        orders = np.empty((self.steps // steps_per_epoch, self.n_samples), np.int64)
        _shuffle(rng.shuffle_key(SEED, spec.replicate), orders)
        return orders

    def flops(self, spec: NetworkSpec) -> int:
        """Flops to train one network."""
        layers = list(zip(self.sizes(spec), self.sizes(spec)[1:], strict=False))
        forward = sum(fan_in * fan_out for fan_in, fan_out in layers)
        step = 3 * forward - layers[0][0] * layers[0][1]
        epochs = self.steps if self.batch_size is None else self.steps * self.batch_size / self.n_samples
        recorded = 1 if self.batch_size is None else len(self.recorded)
        return round(2 * self.n_samples * (step * epochs + forward * recorded))

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
    training.setdefault("learning_rate", ASSIGNMENT_RATES[activation])
    return NetworkSpec(Architecture.plain(hidden, activation, n_outputs), "assignment", replicate, **training)


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
    )
}
