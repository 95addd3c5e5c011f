"""Dropout, in training alone: a = m z, where m is 0 with probability p, else 1 / (1 - p), so that the mean of a is z.

Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", JMLR 15 (2014); scaled while
training, as PyTorch does. Whether a unit is dropped follows from the network's key, the step (from 0), the number of
the unit among all that dropout acts on, and the row of the data set, whatever runs beside it and in whatever lanes: it
is where the high 32 bits of

    bits(bits(bits(key, step), unit), row)

are below p 2^32. `bits` is `split_mix` (streams.py); p is taken to the nearest multiple of 2^-32.

A cost that is recorded of the pass that is trained, as under full batch, is the cost with these masks; one that takes
a pass of its own is without, and so are predictions and `gradients`.

Masks are drawn before a forward pass, into rows of its buffer behind those of the units, where the backward pass finds
them. Tapes are made for predictions; `for_training` makes a tape that multiplies by masks. What no network uses is not
compiled.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from shoal.kernels.compile.linked import Integers, Linked, Pointer, called_by_address, linked
from shoal.kernels.matrix.blocks import FROM_SUM
from shoal.kernels.network.tape import DROP, N_FIELDS, op_at
from shoal.kernels.simd.instructions import INT64, Builder, broadcast, llvm_type, load_at, repeated_at, store_at
from shoal.kernels.simd.integers import Bits
from shoal.kernels.simd.lanes import NETWORKS, SAMPLES, Lanes, narrow
from shoal.kernels.simd.vector import store
from shoal.kernels.streams import random_bits, split_mix


class DropoutKernels(NamedTuple):
    """The kernels for one meaning of the lanes."""

    draw: Linked
    drop: Linked


@called_by_address
def draw_masks(
    ops: Integers, n_ops: int, first: int, keys: Integers, unit_keys: Integers, rows: Integers, a: Pointer, n: int,
    ld: int,
):  # fmt: skip
    """Fill the masks of a step, which begin at row `first` of `a`, for the n elements of a tile.

    `rows` (n,) are the rows of the data set, `keys` those of the step: one, or one for each network in the lanes;
    `unit_keys` is room for as many.
    """


@called_by_address
def drop(source: Pointer, mask: Pointer, target: Pointer, units: int, n: int, ld: int, start: int):
    """target = mask source over rows, or target += mask source where `start` is FROM_SUM."""


def _put_mask(lanes: Lanes) -> Any:
    """An intrinsic: the masks of one vector, for rows[at ...] of the data set."""

    def put_mask(
        typingctx: Any, mask: Any, there: Any, unit_keys: Any, rows: Any, at: Any, limit: Any, kept: Any
    ) -> Any:
        def codegen(context: Any, builder: Builder, sig: Any, args: Any) -> Any:
            mask_, there, unit_keys, rows, at, limit, kept = args
            count = lanes.group if lanes.networks else lanes.count(mask.dtype)
            kind, whole = llvm_type(mask.dtype, count), ir.VectorType(INT64, count)
            keys = Bits(builder, repeated_at(builder, unit_keys, whole, lanes.group))
            bits = split_mix(keys, Bits(builder, load_at(builder, builder.gep(rows, [at]), whole))) >> 32
            is_dropped = builder.icmp_unsigned("<", bits.value, broadcast(builder, limit, whole))
            kept = broadcast(builder, context.cast(builder, kept, types.float64, mask.dtype), kind)
            value = builder.select(is_dropped, ir.Constant(kind, None), kept)
            store_at(builder, value, builder.gep(mask_, [there]))
            return context.get_dummy_value()

        return types.void(mask, types.intp, unit_keys, rows, types.intp, types.int64, types.float64), codegen

    return intrinsic(put_mask)


def _pair(lanes: Lanes, load: Any) -> DropoutKernels:
    stride, step, put_mask = lanes.stride, lanes.step, _put_mask(lanes)

    def draw_masks(
        ops: Integers, n_ops: int, first: int, keys: Integers, unit_keys: Integers, rows: Integers, a: Pointer, n: int,
        ld: int,
    ):  # fmt: skip
        for k in range(n_ops):
            op = op_at(ops + k * N_FIELDS)
            for row in range(op.mask, op.mask + op.fan_out * (op.kind == DROP)):
                for lane in range(stride()):
                    unit_keys[lane] = np.int64(random_bits(np.uint64(keys[lane]), np.uint64(row - first)))
                for t in range(0, n, step(a)):
                    put_mask(a, row * ld + t, unit_keys, rows, t, op.rate, 2.0**32 / (2.0**32 - op.rate))

    def drop(source: Pointer, mask: Pointer, target: Pointer, units: int, n: int, ld: int, start: int):
        for unit in range(units):
            for t in range(unit * ld, unit * ld + n, step(source)):
                value = load(source, t) * load(mask, t)
                if start == FROM_SUM:
                    value = value + load(target, t)
                store(target, t, value)

    return DropoutKernels(*(linked(lanes.name, entry=True)(kernel) for kernel in (draw_masks, drop)))


PAIRS = {SAMPLES.name: _pair(SAMPLES, SAMPLES.load), NETWORKS.name: _pair(NETWORKS, narrow)}
"""By meaning of the lanes."""


def dropout_kernels(lanes: str, ops: np.ndarray) -> list[Linked]:
    """The kernels that a tape calls."""
    return [*PAIRS[lanes]] if (ops["rate"] > 0).any() else []


def for_training(ops: np.ndarray, lanes: str, dtype: np.dtype) -> np.ndarray:
    """A tape (n_ops,) with dropout in it, whose kernels have to be loaded."""
    ops = ops.copy()
    own = ops["rate"] > 0
    ops["kind"][own], ops["drop"][own] = DROP, PAIRS[lanes].drop.address(dtype)
    return ops
