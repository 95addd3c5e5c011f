"""The tape of a network, and where each W and b sits in its flat parameter row: the only offset arithmetic.

A network is a list of operations on nodes (node 0 is the input), each a block of units. Every dense layer is followed
in the same operation by its activation. One row of `ops` (n_ops, 10) int64:

    KIND    SOURCE, TARGET           FAN_IN, FAN_OUT    CODE               OFFSET                  START
    DENSE   first unit of the        units of the       activation code    of W in the row; b      whether the backward
    APPLY   node read, and of        two blocks         activation code    stands right behind W   pass sets dC/da of
    COPY    the node made                                                                          the node read, or
    ADD     (or added to)                                                                          adds to it (FROM_SUM)

COPY takes the first of the branches to be summed. Where a node comes from a dense layer and is read by one other alone,
that one's backward pass goes on through the node's activation at once: it is the reader's THROUGH (else LINEAR), and
the layer that the node comes from is DONE. `sizes` (n_nodes,) int64 holds the number of units of each node.
W is (fan_out, fan_in) in row-major order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from shoal.kernels.network.architecture import ACTIVATIONS, Activation, Architecture, Path

KIND, SOURCE, TARGET, FAN_IN, FAN_OUT, CODE, OFFSET, START, THROUGH, DONE = range(N_FIELDS := 10)
DENSE, APPLY, COPY, ADD = range(4)
FROM_ZERO, FROM_SUM, FROM_BIAS = range(3)
"""What a matrix product starts from: nothing, what stands in its place, or the bias."""
LINEAR, RELU, TANH, SIGMOID = range(len(ACTIVATIONS))


@dataclass(frozen=True, eq=False)
class Layout:
    """Operations and node sizes of one network, and the length of its parameter row."""

    ops: np.ndarray
    sizes: np.ndarray
    n_params: int

    def weights(self, row: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Views (W, b) into a flat row (n_params,), dense layer by dense layer."""
        for kind, fan_in, fan_out, offset in self.ops[:, [KIND, FAN_IN, FAN_OUT, OFFSET]]:
            if kind == DENSE:
                end = offset + fan_in * fan_out
                yield row[offset:end].reshape(fan_out, fan_in), row[end : end + fan_out]

    @property
    def flops_per_sample(self) -> int:
        """Multiply-adds times two of one forward pass, activations not counted."""
        dense = self.ops[self.ops[:, KIND] == DENSE]
        return int(2 * (dense[:, FAN_IN] * dense[:, FAN_OUT]).sum())

    @property
    def n_units(self) -> int:
        """Units of all nodes, the inputs included."""
        return int(self.sizes.sum())


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

    Raises TypeError for what is not an architecture, and ValueError where the notation has no such layer, branches
    cannot be summed, or the last layer is not dense.
    """
    if not isinstance(architecture, Architecture):
        raise TypeError(f"{architecture!r} is not an Architecture; Architecture.parse({str(architecture)!r}) makes one")
    architecture.check(n_features)
    builder = _Builder([n_features])
    source = 0
    if architecture.branches:
        source = builder.total([builder.path(0, branch) for branch in architecture.branches])
    builder.path(source, architecture.trunk)
    return Layout(_rows(builder), np.array(builder.sizes, np.int64), builder.n_params)


def _rows(builder: _Builder) -> np.ndarray:
    first_unit = np.cumsum([0, *builder.sizes])
    last_reader = {source: k for k, (_, source, _, _, _) in enumerate(builder.ops)}
    readers = Counter(source for _, source, _, _, _ in builder.ops)
    alone = {source for kind, source, _, _, _ in builder.ops if kind == DENSE and readers[source] == 1}
    inner = {target: code for kind, _, target, code, _ in builder.ops if kind == DENSE and target in alone}
    return np.array(
        [
            (
                kind,
                first_unit[source],
                first_unit[target],
                builder.sizes[source],
                builder.sizes[target],
                code,
                offset,
                FROM_ZERO if last_reader[source] == k else FROM_SUM,
                inner.get(source, LINEAR) if kind == DENSE else LINEAR,
                target in inner,
            )
            for k, (kind, source, target, code, offset) in enumerate(builder.ops)
        ],
        np.int64,
    )
