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
from numba.core import cgutils, types
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, models, register_model

INT32, INT64 = ir.IntType(32), ir.IntType(64)
Builder = Any


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


def llvm_type(dtype: Any, lanes: int) -> ir.VectorType:
    """The LLVM vector of `lanes` numbers of `dtype`."""
    return ir.VectorType(ir.FloatType() if dtype == types.float32 else ir.DoubleType(), lanes)


def address(context: Any, builder: Builder, array_type: Any, array: Any, at: Any) -> Any:
    """Pointer to element `at` of an array, or from a pointer on."""
    if isinstance(array_type, types.Array):
        array = context.make_array(array_type)(context, builder, array).data
    return builder.gep(array, [at])


def load_at(builder: Builder, pointer: Any, kind: ir.VectorType) -> Any:
    """The vector that begins at `pointer`, which need not be aligned to more than one element."""
    return builder.load(builder.bitcast(pointer, ir.PointerType(kind)), align=_element_bytes(kind))


def store_at(builder: Builder, vector: Any, pointer: Any) -> None:
    """The counterpart of `load_at`."""
    builder.store(vector, builder.bitcast(pointer, ir.PointerType(vector.type)), align=_element_bytes(vector.type))


def shuffle(builder: Builder, x: Any, y: Any, lanes: list[int]) -> Any:
    """A vector of the lanes named, counted through x and on through y."""
    return builder.shuffle_vector(x, y, ir.Constant(ir.VectorType(INT32, len(lanes)), lanes))


def broadcast(builder: Builder, number: Any, kind: ir.VectorType) -> Any:
    """`number` in every lane."""
    undefined = ir.Constant(kind, ir.Undefined)
    first = builder.insert_element(undefined, number, ir.Constant(INT32, 0))
    return shuffle(builder, first, undefined, [0] * kind.count)


def repeated_at(builder: Builder, pointer: Any, kind: ir.VectorType, group: int) -> Any:
    """The `group` numbers that begin at `pointer`, again and again."""
    if group == 1:
        return broadcast(builder, builder.load(pointer), kind)
    part = load_at(builder, pointer, ir.VectorType(kind.element, group))
    return part if group == kind.count else shuffle(builder, part, part, [n % group for n in range(kind.count)])


def folded(builder: Builder, vector: Any, group: int) -> Any:
    """The sum of its groups, halves onto halves."""
    while vector.type.count > group:
        n = vector.type.count
        low, high = list(range(n // 2)), list(range(n // 2, n))
        vector = builder.fadd(shuffle(builder, vector, vector, low), shuffle(builder, vector, vector, high))
    return vector


def add_scaled_at(
    context: Any, builder: Builder, vector: Any, pointer: Any, scale_type: Any, scale: Any, group: int
) -> None:
    """Add `scale` (a pointer to a group of numbers, or None) times the sum of the vector's groups to what is there."""
    value = folded(builder, vector, group)
    there = load_at(builder, pointer, value.type)
    if scale_type == types.none:
        value = builder.fadd(value, there)
    else:
        factor = load_at(builder, address(context, builder, scale_type, scale, ir.Constant(INT64, 0)), value.type)
        value = multiply_add(builder, factor, value, there)
    store_at(builder, value, pointer)


def call(builder: Builder, name: str, *args: Any) -> Any:
    """Call an LLVM intrinsic whose arguments and result are all of one vector type."""
    kind = args[0].type
    suffix = "f32" if isinstance(kind.element, ir.FloatType) else "f64"
    function_type = ir.FunctionType(kind, [kind] * len(args))
    callee = cgutils.get_or_insert_function(builder.module, function_type, f"llvm.{name}.v{kind.count}{suffix}")
    return builder.call(callee, args)


def multiply_add(builder: Builder, x: Any, y: Any, z: Any) -> Any:
    """x y + z: one rounding where the machine has such an instruction, else two."""
    return call(builder, "fmuladd", x, y, z)


def _element_bytes(kind: ir.VectorType) -> int:
    return 4 if isinstance(kind.element, ir.FloatType) else 8


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
    class Typing(AbstractTemplate):  # type: ignore[misc]
        def generic(self, args: Any, kws: Any) -> Any:
            kind = _vector_of(args)
            return signature(kind, *args) if kind is not None else None

    def lower(context: Any, builder: Builder, sig: Any, args: Any) -> Any:
        return getattr(builder, instruction)(*_operands(context, builder, sig, args, sig.return_type))

    infer_global(function)(Typing)
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
square_root = elementwise(lambda builder, x: call(builder, "sqrt", x), 1)
absolute = elementwise(lambda builder, x: call(builder, "fabs", x), 1)
with_sign = elementwise(lambda builder, x, y: call(builder, "copysign", x, y), 2)
"""|x| with the sign of y."""


def clamped(builder: Builder, comparison: str, x: Any, limit: Any) -> Any:
    """The limit where it compares so with x, else x."""
    return builder.select(builder.fcmp_ordered(comparison, x, limit), limit, x)


at_least = elementwise(lambda builder, x, limit: clamped(builder, "<", x, limit), 2)
"""The limit where x is below it, else x; NaN stays NaN."""
at_most = elementwise(lambda builder, x, limit: clamped(builder, ">", x, limit), 2)
"""The limit where x is above it, else x; NaN stays NaN."""


def where(builder: Builder, comparison: str, test: Any, x: Any, y: Any) -> Any:
    """x where `test` compares so with 0, else y."""
    return builder.select(builder.fcmp_ordered(comparison, test, ir.Constant(test.type, None)), x, y)


def _power_of_two(builder: Builder, shifted: Any) -> Any:
    """2^k from k + ROUNDER: the low bits of the fraction hold k, which becomes the exponent."""
    single = isinstance(shifted.type.element, ir.FloatType)
    bits, fraction, offset = (32, 23, 127) if single else (64, 52, 1023)
    whole = ir.VectorType(ir.IntType(bits), shifted.type.count)
    exponent = builder.add(builder.bitcast(shifted, whole), ir.Constant(whole, [offset] * whole.count))
    return builder.bitcast(builder.shl(exponent, ir.Constant(whole, [fraction] * whole.count)), shifted.type)


power_of_two = elementwise(_power_of_two, 1)
"""2^k, from k + 1.5 2^23 (float32) or k + 1.5 2^52 (float64)."""
where_negative = elementwise(lambda builder, test, x, y: where(builder, "<", test, x, y), 3)
"""(test, x, y): x where test < 0, else y."""


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


def sum_of_lanes(builder: Builder, vector: Any) -> Any:
    """The sum of the lanes, halves onto halves."""
    return builder.extract_element(folded(builder, vector, 1), ir.Constant(INT32, 0))


def constant(single: float, double: float) -> Any:
    """An intrinsic (vector) that returns `single` in every lane of a float32 vector, `double` in a float64 one."""
    return polynomial([single], [double])


def polynomial(single: list[float], double: list[float]) -> Any:
    """An intrinsic (x) for c[0] + c[1] x + c[2] x^2 + ... by Horner's rule, with coefficients for each dtype."""

    def evaluate(typingctx: Any, x: Any) -> Any:
        coefficients = single if x.dtype == types.float32 else double

        def codegen(context: Any, builder: Builder, sig: Any, args: Any) -> Any:
            kind = args[0].type
            *rest, result = [ir.Constant(kind, [c] * kind.count) for c in coefficients]
            for c in reversed(rest):
                result = multiply_add(builder, result, args[0], c)
            return result

        return x(x), codegen

    return intrinsic(evaluate)


@intrinsic
def small(typingctx: Any) -> Any:
    """Tell LLVM to keep the function small."""

    def codegen(context: Any, builder: Builder, sig: Any, args: Any) -> Any:
        builder.function.attributes.add("minsize")
        builder.function.attributes.add("optsize")
        return context.get_dummy_value()

    return types.void(), codegen
