"""Steps of an optimizer over rows of vectors: a kernel for each optimizer, for either meaning of the lanes.

A job has the addresses of those that it calls, so that what no network uses is not compiled.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numba
from numba.extending import intrinsic

from shoal.kernels.compile.jit import jit
from shoal.kernels.compile.linked import Doubles, Integers, Linked, Pointer, called_by_address, linked, unpacked
from shoal.kernels.simd.formula import V
from shoal.kernels.simd.instructions import INT64, Builder, broadcast, load_at, repeated_at, store_at
from shoal.kernels.simd.lanes import NETWORKS, SAMPLES, Lanes
from shoal.kernels.simd.vector import Vector, small
from shoal.kernels.training.optimizers import OPTIMIZERS, Optimizer

types: Any = numba.types
NUMBERS = 16
"""Room for the numbers of a step."""


class UpdateKernels(NamedTuple):
    """The kernels of one optimizer; `numbers` is None where a step needs none."""

    update: Linked
    numbers: Linked | None


@called_by_address
def update(
    params: Pointer, n: int, grads: Pointer, n_parts: int, part: int, states: Pointer, state: int, rates: Pointer,
    numbers: Doubles,
):  # fmt: skip
    """Step on n elements of `params`, with the numbers of the step.

    The gradient is the sum of `n_parts` partial ones, `part` elements apart, added in their order: one for each chunk
    of samples (chunks.py). States are `state` elements apart.
    """


@called_by_address
def compute_numbers(t: int, hypers: Integers, numbers: Doubles):
    """Fill the numbers of step t."""


@jit
def set_rates(at, epoch, first, n):
    """Fill `rates` of a workspace with the learning rates of an epoch, and `shrink` with what weights are decayed by,
    for n networks of a job, of which `first` is the first in the fleet."""
    small()
    ws, fleet, job = at.ws, at.fleet, at.job
    if epoch < job.n_factors:
        for k in range(n):
            rate = fleet.factors[job.factors + epoch] * fleet.rates[first + k]
            ws.rates[k] = rate
            ws.shrink[k] = -rate * fleet.weight_decays[first + k]


def _pair(lanes: Lanes, optimizer: Optimizer) -> UpdateKernels:
    load, width = lanes.load, lanes.width
    factors, move = _factors(lanes, optimizer.n_numbers), _move(lanes, optimizer)

    def update(
        params: Pointer, n: int, grads: Pointer, n_parts: int, part: int, states: Pointer, state: int, rates: Pointer,
        numbers: Doubles,
    ):  # fmt: skip
        rate_and_numbers = factors(rates, numbers)  # in registers while the loop runs
        for p in range(0, n, width(params)):
            g = load(grads, p)
            for k in range(1, n_parts):
                g = g + load(grads, k * part + p)
            move(params, p, g, states, state, rate_and_numbers)

    update.__name__ = f"update_{optimizer.name}"
    return UpdateKernels(linked(lanes.name, entry=True)(update), _numbers(lanes, optimizer))


def _numbers(lanes: Lanes, optimizer: Optimizer) -> Linked | None:
    if optimizer.numbers is None:
        return None
    compute, hypers_at = jit(optimizer.numbers), unpacked(optimizer.Hypers)

    def numbers(t: int, hypers: Integers, numbers: Doubles):
        values = compute(t, hypers_at(hypers))
        for k in range(len(values)):
            numbers[k] = values[k]

    numbers.__name__ = f"numbers_{optimizer.name}"
    kernel: Linked = linked(lanes.name, entry=True)(numbers)
    return kernel


def _factors(lanes: Lanes, n_numbers: int) -> Any:
    """An intrinsic: the learning rates and the numbers of a step as a tuple of vectors."""

    def factors(typingctx: Any, rates: Any, numbers: Any) -> Any:
        kind = Vector(rates.dtype, lanes.count(rates.dtype))
        result = types.UniTuple(kind, 1 + n_numbers)

        def codegen(context: Any, builder: Builder, sig: Any, args: Any) -> Any:
            llvm_kind = context.get_value_type(kind)
            vectors = [repeated_at(builder, args[0], llvm_kind, lanes.group)]
            for k in range(n_numbers):
                number = context.cast(
                    builder, builder.load(builder.gep(args[1], [INT64(k)])), types.float64, kind.dtype
                )
                vectors.append(broadcast(builder, number, llvm_kind))
            return context.make_tuple(builder, result, vectors)

        return result(rates, numbers), codegen

    return intrinsic(factors)


def _move(lanes: Lanes, optimizer: Optimizer) -> Any:
    """An intrinsic: one vector of parameters, and of each state, after a step."""

    def move(typingctx: Any, params: Any, at: Any, g: Any, states: Any, state: Any, factors: Any) -> Any:
        def codegen(context: Any, builder: Builder, sig: Any, args: Any) -> Any:
            params_, at, gradient, states_, state, factors_ = args
            kind = gradient.type
            place = builder.gep(params_, [at])
            places = [
                builder.gep(states_, [builder.add(builder.mul(state, INT64(k)), at)]) for k in range(optimizer.n_states)
            ]
            rate, *numbers = (V(builder, builder.extract_value(factors_, k)) for k in range(len(sig.args[5])))
            old = tuple(V(builder, load_at(builder, pointer, kind)) for pointer in places)
            p, new = optimizer.update(
                V(builder, load_at(builder, place, kind)), V(builder, gradient), old, rate, tuple(numbers)
            )
            for pointer, vector in zip((*places, place), (*new, p), strict=True):
                store_at(builder, vector.value, pointer)
            return context.get_dummy_value()

        return types.void(params, types.intp, g, states, types.intp, factors), codegen

    return intrinsic(move)


PAIRS = {(lanes.name, name): _pair(lanes, each) for lanes in (SAMPLES, NETWORKS) for name, each in OPTIMIZERS.items()}
"""By meaning of the lanes and name of the optimizer."""


def update_kernels(lanes: str, methods: Iterable[str]) -> list[Linked]:
    """The kernels of those of the methods that are optimizers."""
    pairs = [PAIRS[lanes, name] for name in methods if name in OPTIMIZERS]
    return [kernel for pair in pairs for kernel in pair if kernel]
