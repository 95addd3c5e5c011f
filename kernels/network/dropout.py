"""Dropout, in training alone: a = m z, where m is 0 with probability p, else 1 / (1 - p), so that the mean of a is z.

Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", JMLR 15 (2014), scaled in training
as PyTorch does. Whether a unit is dropped follows from the network's key, the step (from 0), the number of the unit
among those that are dropped out, and the row of the data set, whatever runs beside it and in whatever lanes: where the
high 32 bits of

    bits(bits(bits(key, step), unit), row)

are below p 2^32. `bits` is `random_bits` (streams.py); p is taken to the next multiple of 2^-32.

Masks are drawn before a forward pass, into rows of its buffer behind those of the units, where the backward pass finds
them. Tapes are made for predictions; `for_training` makes a tape that multiplies by masks. What no network uses is not
compiled.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from shoal.kernels.compile.linked import Integers, Linked, Pointer, called_by_address, linked
from shoal.kernels.matrix.blocks import FROM_SUM
from shoal.kernels.network.tape import DROP, N_FIELDS, op_at
from shoal.kernels.simd.lanes import NETWORKS, SAMPLES, Lanes, narrow
from shoal.kernels.simd.vector import store
from shoal.kernels.streams import random_bits


class Pair(NamedTuple):
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


def _pair(lanes: Lanes, load: Any) -> Pair:
    stride, step = lanes.stride, lanes.step

    def draw_masks(
        ops: Integers, n_ops: int, first: int, keys: Integers, unit_keys: Integers, rows: Integers, a: Pointer, n: int,
        ld: int,
    ):  # fmt: skip
        for k in range(n_ops):
            op = op_at(ops + k * N_FIELDS)
            for row in range(op.mask, op.mask + op.fan_out * (op.kind == DROP)):
                for lane in range(stride()):
                    unit_keys[lane] = np.int64(random_bits(np.uint64(keys[lane]), np.uint64(row - first)))
                limit, kept, mask = np.uint64(op.rate), 2.0**32 / (2.0**32 - op.rate), a + row * ld
                for t in range(0, n, stride()):
                    for lane in range(stride()):
                        bits = random_bits(np.uint64(unit_keys[lane]), np.uint64(rows[t + lane]))
                        mask[t + lane] = 0.0 if bits >> np.uint64(32) < limit else kept

    def drop(source: Pointer, mask: Pointer, target: Pointer, units: int, n: int, ld: int, start: int):
        for unit in range(units):
            for t in range(unit * ld, unit * ld + n, step(source)):
                value = load(source, t) * load(mask, t)
                if start == FROM_SUM:
                    value = value + load(target, t)
                store(target, t, value)

    return Pair(*(linked(lanes.name, entry=True)(kernel) for kernel in (draw_masks, drop)))


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
