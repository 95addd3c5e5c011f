"""What the lanes of a vector are: samples of one network, or networks that train side by side.

                  SAMPLES                                   NETWORKS
    lanes         as many as the machine's registers hold   8 on every machine, of one sample or as many as fit
    activations   a[unit, sample]                           a[unit, sample, network]
    parameters    one number for all lanes                  params[parameter, network]
    gradients     summed over the lanes                     one for each lane

The kernels are written once: a row of n elements is a vector after a vector of either kind, and a parameter is `stride`
elements from the next one. Samples fill the lanes where there are many of them; networks do where a mini-batch is too
small for it. No lane's numbers ever enter another network's lane.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba.core import types
from numba.extending import intrinsic

from shoal.kernels.compile.host import HOST
from shoal.kernels.simd.instructions import INT64, Builder, add_scaled_at, address, folded, repeated_at, sum_of_lanes
from shoal.kernels.simd.vector import Vector, loader

GROUP = 8
"""Networks that train side by side."""
STRIPE = 4
"""Rows of samples have room for a whole number of so many vectors."""


class Lanes:
    """One meaning of the lanes.

    width(array)                                    lanes of the vectors of the array's dtype: elements to the next one
    step(array)                                     the same, or of a single sample of networks (`narrow`)
    stride()                                        elements from one parameter to the next
    load(array, at)                                 a vector
    parameter(array, at)                            the parameter at `at`, for all lanes
    add_gradient(vector, array, at, scale)          array[at] += the sum of the lanes; or, for networks,
                                                    array[at ...] += scale[0 ...] * its sum over the samples in it
    """

    def __init__(self, networks: bool) -> None:
        self.networks = networks
        self.name = "networks" if networks else "samples"
        self.product_tile, self.gradient_tile = (
            (HOST.network_tile, HOST.gradient_tile) if networks else (HOST.sample_tile, HOST.sample_tile)
        )
        self.group = GROUP if networks else 1
        self.stride = _integer(self.group)
        self.load = loader(self.count)
        self.parameter = self._parameter()
        self.width = self._width(self.count)
        self.step = self._width(lambda dtype: GROUP) if networks else self.width
        self.add_gradient = _add_scaled if networks else _add_total

    def count(self, dtype: Any) -> int:
        """Lanes of a vector of `dtype` (a Numba type)."""
        return max(self.group, int(HOST.vector_bytes // (dtype.bitwidth // 8)))

    def _parameter(self) -> Any:
        def parameter(typingctx: Any, array: Any, at: Any) -> Any:
            kind = Vector(array.dtype, self.count(array.dtype))

            def codegen(context: Any, builder: Builder, sig: Any, args: Any) -> Any:
                pointer = address(context, builder, sig.args[0], *args)
                return repeated_at(builder, pointer, context.get_value_type(kind), self.group)

            return kind(array, types.intp), codegen

        return intrinsic(parameter)

    def _width(self, count: Callable[[Any], int]) -> Any:
        def width(typingctx: Any, array: Any) -> Any:
            lanes = count(array.dtype)
            return types.intp(array), lambda context, builder, sig, args: context.get_constant(types.intp, lanes)

        return intrinsic(width)


def _integer(value: int) -> Any:
    """An intrinsic that returns `value`."""

    def integer(typingctx: Any) -> Any:
        return types.intp(), lambda context, builder, sig, args: context.get_constant(types.intp, value)

    return intrinsic(integer)


@intrinsic
def _add_scaled(typingctx: Any, vector: Any, array: Any, at: Any, scale: Any) -> Any:
    def codegen(context: Any, builder: Builder, sig: Any, args: Any) -> Any:
        pointer = address(context, builder, sig.args[1], args[1], args[2])
        scale = address(context, builder, sig.args[3], args[3], INT64(0))
        add_scaled_at(builder, folded(builder, args[0], GROUP), pointer, scale)
        return context.get_dummy_value()

    return types.void(vector, array, types.intp, scale), codegen


@intrinsic
def _add_total(typingctx: Any, vector: Any, array: Any, at: Any, scale: Any) -> Any:
    def codegen(context: Any, builder: Builder, sig: Any, args: Any) -> Any:
        pointer = address(context, builder, sig.args[1], args[1], args[2])
        builder.store(builder.fadd(builder.load(pointer), sum_of_lanes(builder, args[0])), pointer)
        return context.get_dummy_value()

    return types.void(vector, array, types.intp, scale), codegen


narrow = loader(lambda dtype: GROUP)
"""An intrinsic (array, at) that loads one number of each network."""
SAMPLES = Lanes(networks=False)
NETWORKS = Lanes(networks=True)
