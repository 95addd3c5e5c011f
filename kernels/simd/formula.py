"""One language for formulas: functions of "whatever can", LLVM vectors or NumPy arrays.

A formula such as `z / (1.0 + absolute(z))` is written once. Given vectors `V`, every operation puts an instruction into
the function that is being written: `lifted` makes it an operation for kernels, and the register tiles (tile.py) write
it where their sums leave the registers. Given NumPy arrays, it is evaluated, for tests, reports and drawings.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from shoal.kernels.simd import instructions
from shoal.kernels.simd.instructions import Builder
from shoal.kernels.simd.vector import elementwise

Formula = Callable[..., Any]


class V:
    """A vector in a function that `builder` writes; a number beside it stands in every lane."""

    __array_ufunc__ = None  # NumPy's numbers leave the operation to the vector

    def __init__(self, builder: Builder, value: Any) -> None:
        self.builder, self.value = builder, value

    def __add__(self, other: Any) -> V:
        return _put("fadd", self, other)

    def __sub__(self, other: Any) -> V:
        return _put("fsub", self, other)

    def __mul__(self, other: Any) -> V:
        return _put("fmul", self, other)

    def __truediv__(self, other: Any) -> V:
        return _put("fdiv", self, other)

    def __radd__(self, other: Any) -> V:
        return _put("fadd", other, self)

    def __rsub__(self, other: Any) -> V:
        return _put("fsub", other, self)

    def __rmul__(self, other: Any) -> V:
        return _put("fmul", other, self)

    def __rtruediv__(self, other: Any) -> V:
        return _put("fdiv", other, self)

    def __neg__(self) -> V:
        return V(self.builder, self.builder.fneg(self.value))


def _vectors(args: Sequence[Any]) -> tuple[Builder, list[Any]]:
    """The builder, and the arguments as LLVM values of one type."""
    own = next(arg for arg in args if isinstance(arg, V))
    kind = own.value.type
    values = [arg.value if isinstance(arg, V) else ir.Constant(kind, [float(arg)] * kind.count) for arg in args]
    return own.builder, values


def _put(instruction: str, *args: Any) -> V:
    builder, values = _vectors(args)
    return V(builder, getattr(builder, instruction)(*values))


def _either(build: Formula, compute: Formula) -> Formula:
    """A function that is `build(builder, *values)` for vectors and `compute(*arrays)` for NumPy."""

    def function(*args: Any) -> Any:
        if not any(isinstance(arg, V) for arg in args):
            return compute(*args)
        builder, values = _vectors(args)
        return V(builder, build(builder, *values))

    return function


fma = _either(instructions.multiply_add, lambda x, y, z: x * y + z)
"""x y + z, rounded once where the machine can."""
absolute = _either(lambda builder, x: instructions.call(builder, "fabs", x), np.abs)
square_root = _either(lambda builder, x: instructions.call(builder, "sqrt", x), np.sqrt)
with_sign = _either(lambda builder, x, y: instructions.call(builder, "copysign", x, y), np.copysign)
"""|x| with the sign of y."""
at_least = _either(lambda builder, x, limit: instructions.clamped(builder, "<", x, limit), np.maximum)
"""The limit where x is below it, else x; NaN stays NaN."""
at_most = _either(lambda builder, x, limit: instructions.clamped(builder, ">", x, limit), np.minimum)
"""The limit where x is above it, else x; NaN stays NaN."""


nearly_inverse = _either(instructions.nearly_inverse, lambda x: 1.0 / x)
"""1 / x to 0.051 of it, for normal x above 0."""


where_below = _either(instructions.where_below, lambda test, limit, x, y: np.where(test < limit, x, y))
"""(test, limit, x, y): x where test < limit, else y."""


def where_negative(test: Any, x: Any, y: Any) -> Any:
    """x where test < 0, else y."""
    return where_below(test, 0.0, x, y)


def where_positive(test: Any, x: Any, y: Any) -> Any:
    """x where test > 0, else y."""
    return where_below(0.0, test, x, y)


def _power_of_two(shifted: np.ndarray) -> np.ndarray:
    whole, fraction = (np.int32, 23) if shifted.dtype == np.float32 else (np.int64, 52)
    power: np.ndarray = np.left_shift(shifted.view(whole), fraction).view(shifted.dtype)
    return power


power_of_two = _either(instructions.power_of_two, _power_of_two)
"""2^k, from a number whose low bits hold its exponent: k + 127 (float32) or k + 1023 (float64)."""


exponent = _either(instructions.exponent, lambda x: (np.frexp(x)[1] - 1).astype(x.dtype))
"""k of x = 2^k m with 1 <= m < 2, for normal x above 0; any number for another."""
significand = _either(instructions.significand, lambda x: 2.0 * np.frexp(x)[0])
"""m of it."""


def is_single(x: Any) -> bool:
    """Whether the numbers are float32; else they are float64."""
    return isinstance(x.value.type.element, ir.FloatType) if isinstance(x, V) else x.dtype == np.float32


def flushed(x: Any) -> Any:
    """0 where |x| is below 1e-36 (float64: 1e-300), else x; NaN stays NaN.

    For running means along training: that of a dead unit shrinks until it is subnormal, and stays so by rounding. An
    operation with a subnormal number takes an x86 over a hundred cycles.
    """
    return where_below(absolute(x), 1e-36 if is_single(x) else 1e-300, 0.0, x)


def polynomial(x: Any, single: Sequence[float], double: Sequence[float]) -> Any:
    """c[0] + c[1] x + c[2] x^2 + ... by Horner's rule, with coefficients for each dtype."""
    *rest, result = single if is_single(x) else double
    for c in reversed(rest):
        result = fma(result, x, c)
    return result


def lifted(formula: Formula, n_args: int) -> Any:
    """The formula as an operation of kernels on 1, 2 or 3 vectors or numbers."""

    def build(builder: Builder, *values: Any) -> Any:
        return formula(*(V(builder, value) for value in values)).value

    return elementwise(build, n_args)


def choice(formulas: Mapping[int, Formula]) -> Any:
    """An operation (which, vector) of kernels: what the formula of that number makes of it, or itself without one."""

    def chosen(typingctx: Any, which: Any, vector: Any) -> Any:
        def codegen(context: Any, builder: Builder, sig: Any, args: Any) -> Any:
            selector, value = args
            cases = {k: lambda formula=formula: [formula(V(builder, value)).value] for k, formula in formulas.items()}
            return instructions.chosen(builder, selector, cases, [value])[0]

        return vector(types.intp, vector), codegen

    return intrinsic(chosen)
