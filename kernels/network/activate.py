"""Activations and their derivatives over rows of vectors: two kernels for each of them, for either meaning of lanes.

A network's tape has the addresses of those that it calls, so that what no network uses is not compiled.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from shoal.kernels.compile.jit import inlined
from shoal.kernels.compile.linked import Linked, Pointer, called_by_address, one_of
from shoal.kernels.matrix.blocks import KEEP
from shoal.kernels.network.activations import ACTIVATIONS, LINEAR, NAMES, ActivationFormula
from shoal.kernels.simd.formula import lifted
from shoal.kernels.simd.lanes import GROUP, NETWORKS, SAMPLES, STRIPE, Lanes, narrow
from shoal.kernels.simd.vector import loader, store


class ActivationKernels(NamedTuple):
    """The kernels of one activation."""

    activate: Linked
    differentiate: Linked


@called_by_address
def activate(a: Pointer, units: int, n: int, ld: int):
    """Replace z by sigma(z) in `units` rows of n elements, `ld` apart."""


@called_by_address
def differentiate(z: Pointer, a: Pointer, da: Pointer, dz: Pointer, units: int, n: int, ld: int):
    """dz = da sigma'(z) over the same rows of a, da and dz, which may be da; of z for the slopes that need it alone."""


@inlined
def _nothing(rows, t):
    """Of what is done in one go, nothing is left to finish."""


def _value(activation: ActivationFormula) -> Any:
    """sigma(z) of one vector in place of z, for a kind of load."""
    begin_value, finish_value = lifted(activation.begin, 1), activation.finish and lifted(activation.finish, 1)

    def of(load: Any) -> Any:
        @inlined
        def begin(rows, t):
            store(rows[0], t, begin_value(load(rows[0], t)))

        @inlined
        def finish(rows, t):
            store(rows[0], t, finish_value(load(rows[0], t)))

        return begin, finish if finish_value else _nothing

    return of


def _slope(activation: ActivationFormula) -> Any:
    """dz = da sigma'(z) of one vector, for a kind of load."""
    through = lifted(activation.through, 3 if activation.needs_z else 2)

    def of(load: Any) -> Any:
        @inlined
        def begin(rows, t):
            _, a, da, dz = rows
            store(dz, t, through(load(da, t), load(a, t)))

        @inlined
        def begin_with_z(rows, t):
            z, a, da, dz = rows
            store(dz, t, through(load(da, t), load(a, t), load(z, t)))

        return begin_with_z if activation.needs_z else begin, _nothing

    return of


def _over_rows(lanes: Lanes, of: Any) -> Any:
    """What `of` makes for a kind of load, over `units` rows of n elements, `ld` apart, of the arrays in a tuple.

    A stripe of vectors is finished when the next one is begun, so that a division runs beside other work. Rows of
    samples have room for whole stripes; of networks, what is left over is done one by one.
    """
    width, have_room = lanes.width, not lanes.networks
    begin, finish = of(loader(lambda dtype: STRIPE * lanes.count(dtype)))
    begin_one, finish_one = of(narrow)

    @inlined
    def over_rows(arrays, units, n, ld):
        stripe, begun = STRIPE * width(arrays[0]), -1
        # rows without a gap are one long row: fewer ends, at which there is no stripe to be begun beside a division
        rows, size = (1, units * n) if ld == n else (units, n)
        for row in range(rows):
            t, end = row * ld, row * ld + size
            end_of_stripes = end if have_room else end - size % stripe
            while t < end_of_stripes:
                begin(arrays, t)
                if begun >= 0:
                    finish(arrays, begun)
                begun = t
                t += stripe
            if not have_room:
                while t < end:
                    begin_one(arrays, t)
                    finish_one(arrays, t)
                    t += GROUP
        if begun >= 0:
            finish(arrays, begun)

    return over_rows


def _pair(lanes: Lanes, name: str, formula: ActivationFormula) -> ActivationKernels:
    @one_of(activate, lanes.name, f"activate_{name}")
    def activate_():
        over_rows = _over_rows(lanes, _value(formula))

        def activate(a: Pointer, units: int, n: int, ld: int):
            over_rows((a,), units, n, ld)

        return activate

    @one_of(differentiate, lanes.name, f"differentiate_{name}")
    def differentiate_():
        over_rows = _over_rows(lanes, _slope(formula))

        def differentiate(z: Pointer, a: Pointer, da: Pointer, dz: Pointer, units: int, n: int, ld: int):
            over_rows((z, a, da, dz), units, n, ld)

        return differentiate

    return ActivationKernels(activate_, differentiate_)


PAIRS = {
    (lanes.name, code): _pair(lanes, NAMES[code], activation)
    for lanes in (SAMPLES, NETWORKS)
    for code, activation in enumerate(ACTIVATIONS)
    if code != LINEAR
}
"""By meaning of the lanes and code; linear has none, as it does nothing."""


def activation_kernels(lanes: str, ops: np.ndarray) -> list[Linked]:
    """The kernels that a tape calls."""
    return [kernel for code in np.unique(ops["code"]).tolist() if code != LINEAR for kernel in PAIRS[lanes, code]]


def with_addresses(ops: np.ndarray, lanes: str, dtype: np.dtype) -> np.ndarray:
    """A tape (n_ops,) with the addresses of the kernels that it calls, which have to be loaded."""
    ops = ops.copy()
    for code in set(np.unique(ops["code"]).tolist()) - {LINEAR}:
        pair, own = PAIRS[lanes, code], ops["code"] == code
        ops["activate"][own & (ops["end"] == KEEP)] = pair.activate.address(dtype)
        ops["differentiate"][own] = pair.differentiate.address(dtype)
    return ops
