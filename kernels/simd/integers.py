"""Formulas of bits: functions of whatever 64-bit numbers without a sign can do, in a kernel's Python or in vectors."""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from shoal.kernels.simd.instructions import Builder


class Bits:
    """A vector of such numbers in a function that `builder` writes; a number beside it stands in every lane."""

    def __init__(self, builder: Builder, value: Any) -> None:
        self.builder, self.value = builder, value

    def _put(self, instruction: str, other: Any) -> Bits:
        kind = self.value.type
        value = other.value if isinstance(other, Bits) else ir.Constant(kind, [int(other)] * kind.count)
        return Bits(self.builder, getattr(self.builder, instruction)(self.value, value))

    def __add__(self, other: Any) -> Bits:
        return self._put("add", other)

    def __mul__(self, other: Any) -> Bits:
        return self._put("mul", other)

    def __xor__(self, other: Any) -> Bits:
        return self._put("xor", other)

    def __rshift__(self, other: Any) -> Bits:
        return self._put("lshr", other)
