"""The tape of a network, and where each W and b sits in its flat parameter row: the only offset arithmetic.

A network is a list of operations on nodes (node 0 is the input), each a block of units. Every dense layer is followed
in the same operation by its activation. Where a node comes from a dense layer and is read by one other alone, that
one's backward pass goes on through the node's activation at once, if its slope is FUSED: the activation is the reader's
`through`, and the layer that the node comes from is `done`. An activation whose slope needs z is an operation of its
own, with z in the node that it reads. `sizes` (n_nodes,) int64 holds the number of units of each node. W is (fan_out,
fan_in) in row-major order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from shoal.kernels.compile.linked import unpacked
from shoal.kernels.matrix.blocks import FROM_SUM, FROM_ZERO, KEEP
from shoal.kernels.network.activations import ACTIVATIONS, LINEAR, SLOPE_ENDS, VALUE_ENDS, code_of
from shoal.kernels.network.architecture import Activation, Architecture, Path

DENSE, APPLY, COPY, ADD = range(4)
"""Kinds of operations: a dense layer with its activation, a bare activation, and the first or another one to be summed.
"""


class Op(NamedTuple):
    """One operation as the kernels see it: a row of `Layout.ops`."""

    kind: int
    source: int  # the first unit of the node read
    target: int  # and of the node made, or added to
    fan_in: int  # units of the two
    fan_out: int
    code: int  # of the activation
    offset: int  # of W in the row of parameters; b stands right behind it
    start: int  # whether the backward pass sets dC/da of the node read, or adds to it (FROM_SUM)
    end: int  # of the product that makes the node: its activation where that is taken in registers, else KEEP
    through: int  # end of the product of the backward pass: the slope of the activation that made the node read
    done: int  # whether the only reader of the node takes its activation's slope
    activate: int  # addresses of kernels (activate.py), 0 where there is nothing left for them to do
    differentiate: int


OP = np.dtype([(name, np.int64) for name in Op._fields])
op_at, N_FIELDS = unpacked(Op), len(Op._fields)


@dataclass(frozen=True, eq=False)
class Layout:
    """Operations (n_ops,) of dtype OP and node sizes of one network, and the length of its parameter row."""

    ops: np.ndarray
    sizes: np.ndarray
    n_params: int

    def weights(self, row: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Views (W, b) into a flat row (n_params,), dense layer by dense layer."""
        for offset, fan_in, fan_out in self.dense[["offset", "fan_in", "fan_out"]].tolist():
            end = offset + fan_in * fan_out
            yield row[offset:end].reshape(fan_out, fan_in), row[end : end + fan_out]

    @property
    def flops_per_sample(self) -> int:
        """Multiply-adds times two of one forward pass, activations not counted."""
        return int(2 * (self.dense["fan_in"] * self.dense["fan_out"]).sum())

    @property
    def dense(self) -> np.ndarray:
        """The rows of the dense layers."""
        layers: np.ndarray = self.ops[self.ops["kind"] == DENSE]
        return layers

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
                source = self.apply(source, code_of(layer.name))
                continue
            follower = layers[position] if position < len(layers) else None
            code = LINEAR
            if isinstance(follower, Activation) and not ACTIVATIONS[code_of(follower.name)].needs_z:
                code, position = code_of(follower.name), position + 1
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
    inner = {target: code for kind, _, target, code, _ in builder.ops if _is_done(kind, target in alone, code)}
    rows = [
        Op(
            kind=kind,
            source=first_unit[source],
            target=first_unit[target],
            fan_in=builder.sizes[source],
            fan_out=builder.sizes[target],
            code=code,
            offset=offset,
            start=FROM_ZERO if last_reader[source] == k else FROM_SUM,
            end=-code if kind == DENSE and -code in VALUE_ENDS else KEEP,
            through=inner.get(source, KEEP) if kind == DENSE else KEEP,
            done=kind == DENSE and target in inner,
            activate=0,
            differentiate=0,
        )
        for k, (kind, source, target, code, offset) in enumerate(builder.ops)
    ]
    return np.array(rows, OP)


def _is_done(kind: int, is_alone: bool, code: int) -> bool:
    return kind == DENSE and is_alone and (code == LINEAR or code in SLOPE_ENDS)
