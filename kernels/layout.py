"""The tape of a network, and where each W and b sits in its flat parameter row: the only offset arithmetic.

A network is a list of operations on nodes (node 0 is the input). Every dense layer is followed in the same operation by
its activation. One row of `ops` (n_ops, 5) int64:

    KIND    SOURCE       TARGET       CODE               OFFSET
    DENSE   node read    node made    activation code    of W in the row; b stands right behind W
    APPLY   node read    node made    activation code    -
    COPY    node read    node made    -                  -        (the first of the branches to be summed)
    ADD     node read    node added to                            (the other branches)

`sizes` (n_nodes,) int64 holds the number of units of each node. W is (fan_out, fan_in) in row-major order.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from kernels.architecture import ACTIVATIONS, Activation, Architecture, Path

KIND, SOURCE, TARGET, CODE, OFFSET = range(5)
DENSE, APPLY, COPY, ADD = range(4)
LINEAR, RELU, TANH, SIGMOID = range(len(ACTIVATIONS))


@dataclass(frozen=True)
class Layout:
    """Operations and node sizes of one network, and the length of its parameter row."""

    ops: np.ndarray
    sizes: np.ndarray
    n_params: int

    def weights(self, row: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Views (W, b) into a flat row (n_params,), dense layer by dense layer."""
        for kind, source, target, _, offset in self.ops:
            if kind == DENSE:
                fan_in, fan_out = self.sizes[source], self.sizes[target]
                end = offset + fan_in * fan_out
                yield row[offset:end].reshape(fan_out, fan_in), row[end : end + fan_out]

    @property
    def flops_per_sample(self) -> int:
        """Multiply-adds times two of one forward pass, activations not counted."""
        dense = self.ops[self.ops[:, KIND] == DENSE]
        return int(2 * (self.sizes[dense[:, SOURCE]] * self.sizes[dense[:, TARGET]]).sum())


@dataclass
class _Builder:
    sizes: list[int]
    ops: list[tuple[int, int, int, int, int]] = field(default_factory=list)
    n_params: int = 0

    def node(self, size: int) -> int:
        self.sizes.append(size)
        return len(self.sizes) - 1

    def dense(self, source: int, units: int, code: int) -> int:
        target = self.node(units)
        self.ops.append((DENSE, source, target, code, self.n_params))
        self.n_params += (self.sizes[source] + 1) * units
        return target

    def apply(self, source: int, code: int) -> int:
        target = self.node(self.sizes[source])
        self.ops.append((APPLY, source, target, code, 0))
        return target

    def path(self, source: int, layers: Path) -> int:
        position = 0
        while position < len(layers):
            layer, position = layers[position], position + 1
            if isinstance(layer, Activation):
                source = self.apply(source, ACTIVATIONS.index(layer.name))
                continue
            follower = layers[position] if position < len(layers) else None
            code = LINEAR
            if isinstance(follower, Activation):
                code, position = ACTIVATIONS.index(follower.name), position + 1
            source = self.dense(source, layer.units, code)
        return source

    def total(self, sources: list[int]) -> int:
        target = self.node(self.sizes[sources[0]])
        for n, source in enumerate(sources):
            self.ops.append((ADD if n else COPY, source, target, LINEAR, 0))
        return target


@lru_cache(maxsize=4096)
def layout_of(architecture: Architecture, n_features: int) -> Layout:
    """Lay out a network for inputs of `n_features`.

    Raises ValueError where branches cannot be summed, or the last layer is not dense.
    """
    architecture.check(n_features)
    builder = _Builder([n_features])
    source = 0
    if architecture.branches:
        source = builder.total([builder.path(0, branch) for branch in architecture.branches])
    builder.path(source, architecture.trunk)
    return Layout(np.array(builder.ops, np.int64), np.array(builder.sizes, np.int64), builder.n_params)
