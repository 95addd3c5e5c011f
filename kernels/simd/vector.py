"""A vector register as a Numba type, and one LLVM instruction for each operation on it.

A `Vector` holds `lanes` numbers of one dtype. Arithmetic (+ - * /) is written as usual; an operand may be a number,
which then stands in every lane. Loads and stores take an array and an index into it, in elements: nothing is checked
and nothing wraps around, as a test of each index would halve the speed of the matrix kernels.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, models, register_model

from shoal.kernels.simd.instructions import (
    Builder,
    address,
    broadcast,
    llvm_type,
    load_at,
    multiply_add,
    store_at,
)


class Vector(types.Type):
    """The type of a register of `lanes` numbers of `dtype` (a Numba float type)."""

    def __init__(self, dtype: Any, lanes: int) -> None:
        self.dtype, self.lanes = dtype, lanes
        super().__init__(f"Vector({dtype}, {lanes})")


@register_model(Vector)
class VectorModel(models.PrimitiveModel):  # type: ignore[misc]
    """An LLVM vector."""

    def __init__(self, manager: Any, kind: Vector) -> None:
        super().__init__(manager, kind, llvm_type(kind.dtype, kind.lanes))


def _vector_of(kinds: Any) -> Vector | None:
    vectors = {kind for kind in kinds if isinstance(kind, Vector)}
    numbers = all(isinstance(kind, Vector | types.Float | types.Integer) for kind in kinds)
    return vectors.pop() if len(vectors) == 1 and numbers else None


def _operands(context: Any, builder: Builder, sig: Any, args: Any, kind: Vector) -> list[Any]:
    """The arguments as vectors, numbers broadcast."""
    llvm_kind = context.get_value_type(kind)
    return [
        arg if isinstance(t, Vector) else broadcast(builder, context.cast(builder, arg, t, kind.dtype), llvm_kind)
        for t, arg in zip(sig.args, args, strict=True)
    ]


def elementwise(build: Callable[..., Any], n_args: int) -> Any:
    """An intrinsic of 1, 2 or 3 vectors or numbers, with `build(builder, *vectors)` as its code."""

    def typer(kinds: Any) -> Any:
        kind = _vector_of(kinds)
        if kind is None:
            return None

        def codegen(context: Any, builder: Builder, sig: Any, args: Any) -> Any:
            return build(builder, *_operands(context, builder, sig, args, kind))

        return kind(*kinds), codegen

    if n_args == 1:
        return intrinsic(lambda typingctx, x: typer((x,)))
    if n_args == 2:
        return intrinsic(lambda typingctx, x, y: typer((x, y)))
    return intrinsic(lambda typingctx, x, y, z: typer((x, y, z)))


def _overload_operator(function: Callable[..., Any], instruction: str) -> None:
    class OperatorTyping(AbstractTemplate):  # type: ignore[misc]
        def generic(self, args: Any, kws: Any) -> Any:
            kind = _vector_of(args)
            return signature(kind, *args) if kind is not None else None

    def lower(context: Any, builder: Builder, sig: Any, args: Any) -> Any:
        return getattr(builder, instruction)(*_operands(context, builder, sig, args, sig.return_type))

    infer_global(function)(OperatorTyping)
    for left, right in ((Vector, Vector), (Vector, types.Number), (types.Number, Vector)):
        lower_builtin(function, left, right)(lower)


for _function, _instruction in (
    (operator.add, "fadd"),
    (operator.sub, "fsub"),
    (operator.mul, "fmul"),
    (operator.truediv, "fdiv"),
):
    _overload_operator(_function, _instruction)

fma = elementwise(multiply_add, 3)
"""x y + z, lane by lane."""


def loader(lanes: Callable[[Any], int]) -> Any:
    """An intrinsic (array, at) that loads `lanes(dtype)` numbers."""

    def load(typingctx: Any, array: Any, at: Any) -> Any:
        kind = Vector(array.dtype, lanes(array.dtype))

        def codegen(context: Any, builder: Builder, sig: Any, args: Any) -> Any:
            pointer = address(context, builder, sig.args[0], *args)
            return load_at(builder, pointer, context.get_value_type(kind))

        return kind(array, types.intp), codegen

    return intrinsic(load)


@intrinsic
def store(typingctx: Any, array: Any, at: Any, vector: Any) -> Any:
    """array[at : at + lanes] = vector."""

    def codegen(context: Any, builder: Builder, sig: Any, args: Any) -> Any:
        store_at(builder, args[2], address(context, builder, sig.args[0], args[0], args[1]))
        return context.get_dummy_value()

    return types.void(array, types.intp, vector), codegen


@intrinsic
def keep_first(typingctx: Any, vector: Any, n: Any) -> Any:
    """The vector with zeros in all lanes but the first `n`, whatever stood there."""

    def codegen(context: Any, builder: Builder, sig: Any, args: Any) -> Any:
        kind = ir.VectorType(ir.IntType(64), vector.lanes)
        kept = builder.icmp_signed("<", ir.Constant(kind, list(range(vector.lanes))), broadcast(builder, args[1], kind))
        return builder.select(kept, args[0], ir.Constant(args[0].type, None))

    return vector(vector, types.intp), codegen


@intrinsic
def widened(typingctx: Any, vector: Any) -> Any:
    """The vector in float64."""
    kind = Vector(types.float64, vector.lanes)

    def codegen(context: Any, builder: Builder, sig: Any, args: Any) -> Any:
        return args[0] if vector.dtype == types.float64 else builder.fpext(args[0], context.get_value_type(kind))

    return kind(vector), codegen


@intrinsic
def zeros(typingctx: Any, vector: Any) -> Any:
    """A vector of zeros like the one given."""
    return vector(vector), lambda context, builder, sig, args: ir.Constant(args[0].type, None)


@intrinsic
def small(typingctx: Any) -> Any:
    """Tell LLVM to keep the function small."""

    def codegen(context: Any, builder: Builder, sig: Any, args: Any) -> Any:
        builder.function.attributes.add("minsize")
        builder.function.attributes.add("optsize")
        return context.get_dummy_value()

    return types.void(), codegen
