"""Weight decay, the l2 penalty and clipping: what is done beside an optimizer's step, in this order.

    g += l2 W                                     of the weights: the cost that is differentiated is C + l2/2 sum W^2
    g *= min(1, clip_norm / (|g| + 1e-6))         |g| the norm over all parameters of one network, the penalty's part
                                                  among it, as torch.nn.utils.clip_grad_norm_ has it
    W -= rate weight_decay W                      of the weights (decoupled: Loshchilov and Hutter, ICLR 2019)

and then the step along g. Biases are neither penalised nor decayed. The cost that is recorded is C alone.

What a job does not use has no address in its row, is not compiled and takes no time.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from shoal.kernels.compile.jit import jit
from shoal.kernels.compile.linked import Doubles, Integers, Linked, Pointer, called_by_address, linked
from shoal.kernels.network.cost import UNSCALED
from shoal.kernels.network.tape import DENSE, N_FIELDS, op_at
from shoal.kernels.simd.lanes import NETWORKS, SAMPLES, Lanes
from shoal.kernels.simd.vector import fma, keep_first, loader, small, store, widened, zeros

TINY = 1e-6
"""Added to a norm before dividing by it."""


class Regularised(NamedTuple):
    """Which of these the networks of a job have: all of them the same, each with a number of its own."""

    l2: bool = False
    clip_norm: bool = False
    weight_decay: bool = False


KINDS = {kind: Regularised(*kind) for kind in product((False, True), repeat=3)}
"""All there are: one object serves all networks."""


class Kernels(NamedTuple):
    """The kernels for one meaning of the lanes."""

    add_weights: Linked
    collect: Linked
    multiply: Linked


@called_by_address
def add_weights(
    ops: Integers, n_ops: int, params: Pointer, begin: int, end: int, factors: Pointer, target: Pointer
):  # fmt: skip
    """target += factor W over those of elements begin..end - 1 of a row of parameters that are weights."""


@called_by_address
def collect(grads: Pointer, n: int, n_parts: int, part: int, squares: Doubles):
    """Add partial gradients, `part` elements apart, in their order to the first, and its squares to `squares`."""


@called_by_address
def multiply(grads: Pointer, n: int, factors: Pointer):
    """grads *= factor."""


@jit
def clip_factor(squares, clip_norm):
    """What a gradient is multiplied by, from the sum of its squares: 0 where that is infinite; NaN stays NaN."""
    small()
    factor = clip_norm / (np.sqrt(squares) + TINY)
    return 1.0 if factor > 1.0 else factor


def _kernels(lanes: Lanes) -> Kernels:
    load, parameter, width, stride, add_total = (
        lanes.load, lanes.parameter, lanes.width, lanes.stride, lanes.add_gradient,
    )  # fmt: skip
    load_one = loader(lambda dtype: lanes.group)

    def add_weights(
        ops: Integers, n_ops: int, params: Pointer, begin: int, end: int, factors: Pointer, target: Pointer
    ):  # fmt: skip
        factor, one_factor = parameter(factors, 0), load_one(factors, 0)
        for k in range(n_ops):
            op = op_at(ops + k * N_FIELDS)
            if op.kind == DENSE:
                first = max(begin, op.offset * stride())
                last = min(end, (op.offset + op.fan_in * op.fan_out) * stride())
                p = first
                while p + width(params) <= last:
                    store(target, p, fma(factor, load(params, p), load(target, p)))
                    p += width(params)
                while p < last:
                    store(target, p, fma(one_factor, load_one(params, p), load_one(target, p)))
                    p += stride()

    def collect(grads: Pointer, n: int, n_parts: int, part: int, squares: Doubles):
        sums = widened(zeros(load(grads, 0)))
        for p in range(0, n, width(grads)):
            g = load(grads, p)
            for k in range(1, n_parts):
                g = g + load(grads, k * part + p)
            store(grads, p, g)
            own = widened(keep_first(g, n - p))  # of networks, the last vector may run over the end
            sums = sums + own * own
        add_total(sums, squares, 0, UNSCALED)

    def multiply(grads: Pointer, n: int, factors: Pointer):
        factor = parameter(factors, 0)
        for p in range(0, n, width(grads)):
            store(grads, p, load(grads, p) * factor)

    return Kernels(*(linked(lanes.name, entry=True)(kernel) for kernel in (add_weights, collect, multiply)))


KERNELS = {lanes.name: _kernels(lanes) for lanes in (SAMPLES, NETWORKS)}


def _of_row(lanes: str, regularised: Regularised) -> dict[str, Linked | None]:
    """The kernels in a job's row, by the name of their field."""
    own, (l2, clip_norm, weight_decay) = KERNELS[lanes], regularised
    return {
        "penalise": own.add_weights if l2 else None,
        "collect": own.collect if clip_norm else None,
        "clip": own.multiply if clip_norm else None,
        "decay": own.add_weights if weight_decay else None,
    }


def regularising_kernels(lanes: str, kinds: Iterable[Regularised]) -> list[Linked]:
    """The kernels that such jobs call."""
    return list(dict.fromkeys(kernel for kind in kinds for kernel in _of_row(lanes, kind).values() if kernel))


def regularising_addresses(lanes: str, regularised: Regularised, dtype: np.dtype) -> dict[str, Any]:
    """What a job's row has of them, which have to be loaded; zeros where it does without."""
    return {name: kernel.address(dtype) if kernel else 0 for name, kernel in _of_row(lanes, regularised).items()}
