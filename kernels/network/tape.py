"""The tape of a network, and where each W and b sits in its flat parameter row: the only offset arithmetic.

A network is a list of operations on nodes (node 0 is the input), each a block of units. Every dense layer is followed
in the same operation by its activation, unless the slope of that needs z: then it is an operation of its own, with z in
the node that it reads. Branches that are concatenated write into neighbouring units of one node; those that are summed
have nodes of their own, which are added up. Where a node comes from a dense layer and is read by one other alone, that
one's backward pass goes on through the node's activation at once, if its slope is FUSED: the activation is the reader's
`through`, and the layer that the node comes from is `done`. Dropout is a copy here, as it is where nothing is trained;
dropout.py makes the tape of training. `sizes` (n_nodes,) int64 holds the number of units of each node. W is (fan_out,
fan_in) in row-major order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import NamedTuple, TypeAlias

import numpy as np

from shoal.kernels.compile.linked import unpacked
from shoal.kernels.matrix.blocks import FROM_SUM, FROM_ZERO, KEEP
from shoal.kernels.network.activations import ACTIVATIONS, LINEAR, SLOPE_ENDS, VALUE_ENDS, code_of
from shoal.kernels.network.architecture import (
    Activation,
    Architecture,
    Concat,
    Dense,
    Dropout,
    Layer,
    Path,
    Sum,
    units_after,
)

DENSE, APPLY, COPY, ADD, DROP = range(5)
"""Kinds of operations: a dense layer with its activation, a bare activation, a copy (of the first one to be summed, or
where dropout does nothing), another one to be summed, and dropout."""


class Op(NamedTuple):
    """One operation as the kernels see it: a row of `Layout.ops`."""

    kind: int
    source: int  # the first unit of the node read
    target: int  # and of those made, or added to
    fan_in: int  # how many they are
    fan_out: int
    code: int  # of the activation
    offset: int  # of W in the row of parameters; b stands right behind it
    start: int  # whether the backward pass sets dC/da of the node read, or adds to it (FROM_SUM)
    end: int  # of the product that makes the node: its activation where that is taken in registers, else KEEP
    through: int  # end of the product of the backward pass: the slope of the activation that made the node read
    done: int  # whether the only reader of the node takes its activation's slope
    rate: int  # of dropout, in parts of 2^32; else 0
    mask: int  # row of the first unit's mask, behind those of all units
    drop: int  # address of the kernel that multiplies by masks (dropout.py)
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

    def weights(self, rows: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Views (W, b) into a flat row (n_params,), or into rows (n, n_params), dense layer by dense layer."""
        for offset, fan_in, fan_out in self._weights:
            end = offset + fan_in * fan_out
            yield rows[..., offset:end].reshape(*rows.shape[:-1], fan_out, fan_in), rows[..., end : end + fan_out]

    @cached_property
    def _weights(self) -> list[tuple[int, int, int]]:
        """Offset, fan_in and fan_out of each dense layer."""
        places: list[tuple[int, int, int]] = self.dense[["offset", "fan_in", "fan_out"]].tolist()
        return places

    @property
    def flops_per_sample(self) -> int:
        """Multiply-adds times two of one forward pass, activations not counted."""
        return int(2 * (self.dense["fan_in"] * self.dense["fan_out"]).sum())

    @cached_property
    def dense(self) -> np.ndarray:
        """The rows of the dense layers."""
        layers: np.ndarray = self.ops[self.ops["kind"] == DENSE]
        return layers

    @cached_property
    def n_units(self) -> int:
        """Units of all nodes, the inputs included."""
        return int(self.sizes.sum())

    @cached_property
    def reads_input_once(self) -> bool:
        """Whether a dense layer, the first operation, is all that reads the input."""
        return bool(self.ops["kind"][0] == DENSE and (self.ops["source"][1:] > 0).all())

    @cached_property
    def n_masks(self) -> int:
        """Units that dropout acts on."""
        return int(self.ops["fan_out"][self.ops["rate"] > 0].sum())


@dataclass(eq=False)
class _Node:
    units: int
    first: int = -1


Rows: TypeAlias = tuple[_Node, int]
"""Where an operation writes: a node, and the first of its units."""


class _Made(NamedTuple):
    """An operation before it is known who reads what; `offset` is that of W, or the first mask."""

    kind: int
    source: _Node
    target: _Node
    shift: int
    units: int
    code: int = LINEAR
    offset: int = 0
    rate: int = 0


@dataclass
class _Builder:
    nodes: list[_Node] = field(default_factory=list)
    ops: list[_Made] = field(default_factory=list)
    n_params: int = 0
    n_masks: int = 0

    def place(self, node: _Node) -> _Node:
        node.first = self.n_units
        self.nodes.append(node)
        return node

    @property
    def n_units(self) -> int:
        return self.nodes[-1].first + self.nodes[-1].units if self.nodes else 0

    def add(self, kind: int, source: _Node, units: int, into: Rows | None, **keys: int) -> _Node:
        """An operation that makes `units`, in a node of their own or where `into` says."""
        target, shift = into or (self.place(_Node(units)), 0)
        self.ops.append(_Made(kind, source, target, shift, units, **keys))
        return target

    def path(self, source: _Node, layers: Path, into: Rows | None = None) -> _Node:
        """The node that the layers make of `source`; the last of them writes where `into` says."""
        steps = _with_activations(layers)
        for n, (layer, code) in enumerate(steps, 1):
            source = self.layer(source, layer, code, into if n == len(steps) else None)
        return source if steps or not into else self.add(COPY, source, source.units, into)

    def layer(self, source: _Node, layer: Layer, code: int, into: Rows | None) -> _Node:
        if isinstance(layer, Dense):
            offset = self.n_params
            self.n_params += (source.units + 1) * layer.units
            return self.add(DENSE, source, layer.units, into, code=code, offset=offset)
        if isinstance(layer, Activation):
            return self.add(APPLY, source, source.units, into, code=code)
        if isinstance(layer, Dropout):
            first = self.n_masks
            self.n_masks += source.units
            return self.add(COPY, source, source.units, into, offset=first, rate=_parts(layer.rate))
        return self.total(source, layer, into) if isinstance(layer, Sum) else self.concat(source, layer, into)

    def total(self, source: _Node, layer: Sum, into: Rows | None) -> _Node:
        first, *others = [self.path(source, branch) for branch in layer.branches]
        target = self.add(COPY, first, first.units, into)
        for other in others:
            self.add(ADD, other, other.units, into or (target, 0))
        return target

    def concat(self, source: _Node, layer: Concat, into: Rows | None) -> _Node:
        node, shift = into or (_Node(units_after((layer,), source.units)), 0)
        for branch in layer.branches:
            self.path(source, branch, (node, shift))
            shift += units_after(branch, source.units)
        return node if into else self.place(node)


def _with_activations(layers: Path) -> list[tuple[Layer, int]]:
    """Each layer with the code of its activation: a dense layer takes the one right behind it, unless that needs z."""
    steps: list[tuple[Layer, int]] = []
    for before, layer in zip((None, *layers), layers, strict=False):
        code = code_of(layer.name) if isinstance(layer, Activation) else LINEAR
        if isinstance(layer, Activation) and isinstance(before, Dense) and not ACTIVATIONS[code].needs_z:
            steps[-1] = before, code
        else:
            steps.append((layer, code))
    return steps


def _parts(rate: float) -> int:
    """A rate in parts of 2^32: as many of the numbers that are drawn mean that a unit is dropped."""
    return min(max(round(rate * 2**32), 1), 2**32 - 1)


@lru_cache(maxsize=4096)
def layout_of(architecture: Architecture, n_features: int) -> Layout:
    """Lay out a network for inputs of `n_features`.

    Raises TypeError for what is not an architecture, and ValueError where the notation has no such layer, branches
    cannot be summed, or the last layer is not dense.
    """
    if not isinstance(architecture, Architecture):
        raise TypeError(f"{architecture!r} is not an Architecture; Architecture.parse({str(architecture)!r}) makes one")
    architecture.check(n_features)
    builder = _Builder()
    builder.path(builder.place(_Node(n_features)), architecture.layers)
    return Layout(_rows(builder), np.array([node.units for node in builder.nodes], np.int64), builder.n_params)


def _rows(builder: _Builder) -> np.ndarray:
    last_reader = {op.source: k for k, op in enumerate(builder.ops)}
    readers = Counter(op.source for op in builder.ops)
    alone = {op.source for op in builder.ops if op.kind == DENSE and readers[op.source] == 1}
    inner = {op.target: op.code for op in builder.ops if _is_done(op, alone)}
    rows = [
        Op(
            kind=op.kind,
            source=op.source.first,
            target=op.target.first + op.shift,
            fan_in=op.source.units,
            fan_out=op.units,
            code=op.code,
            offset=op.offset if op.kind == DENSE else 0,
            start=FROM_ZERO if last_reader[op.source] == k else FROM_SUM,
            end=-op.code if op.kind == DENSE and -op.code in VALUE_ENDS else KEEP,
            through=inner.get(op.source, KEEP) if op.kind == DENSE else KEEP,
            done=op.kind == DENSE and op.target in inner,
            rate=op.rate,
            mask=builder.n_units + op.offset if op.rate else 0,
            drop=0,
            activate=0,
            differentiate=0,
        )
        for k, op in enumerate(builder.ops)
    ]
    return np.array(rows, OP)


def _is_done(op: _Made, alone: set[_Node]) -> bool:
    is_whole = op.kind == DENSE and op.units == op.target.units
    return is_whole and op.target in alone and (op.code == LINEAR or op.code in SLOPE_ENDS)
