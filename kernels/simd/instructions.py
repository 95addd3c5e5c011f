"""LLVM instructions on vectors, a function each: they are given a builder and values, and return a value."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types

INT32, INT64 = ir.IntType(32), ir.IntType(64)
Builder = Any


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


def spread_at(builder: Builder, pointer: Any, kind: ir.VectorType, group: int, n: int) -> list[Any]:
    """n vectors of the numbers that begin at `pointer`, each of which fills a group of lanes."""
    each = kind.count // group
    numbers = load_at(builder, pointer, ir.VectorType(kind.element, n * each))
    return [
        shuffle(builder, numbers, numbers, [k * each + lane // group for lane in range(kind.count)]) for k in range(n)
    ]


def folded(builder: Builder, vector: Any, group: int) -> Any:
    """The sum of its groups, halves onto halves."""
    while vector.type.count > group:
        n = vector.type.count
        low, high = list(range(n // 2)), list(range(n // 2, n))
        vector = builder.fadd(shuffle(builder, vector, vector, low), shuffle(builder, vector, vector, high))
    return vector


def sum_of_lanes(builder: Builder, vector: Any) -> Any:
    """The sum of the lanes, halves onto halves."""
    return builder.extract_element(folded(builder, vector, 1), ir.Constant(INT32, 0))


def add_scaled_at(builder: Builder, value: Any, pointer: Any, scale: Any) -> None:
    """Add `scale` (a pointer to as many numbers, or None: 1) times a vector to what is there."""
    there = load_at(builder, pointer, value.type)
    if scale is None:
        value = builder.fadd(value, there)
    else:
        value = multiply_add(builder, load_at(builder, scale, value.type), value, there)
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


def clamped(builder: Builder, comparison: str, x: Any, limit: Any) -> Any:
    """The limit where it compares so with x, else x."""
    return builder.select(builder.fcmp_ordered(comparison, x, limit), limit, x)


def where_below(builder: Builder, test: Any, limit: Any, x: Any, y: Any) -> Any:
    """x where test < limit, else y."""
    return builder.select(builder.fcmp_ordered("<", test, limit), x, y)


def power_of_two(builder: Builder, shifted: Any) -> Any:
    """2^k from a number whose low bits hold the exponent of 2^k: they become the exponent."""
    whole, fraction, _ = _layout(shifted)
    power = builder.shl(builder.bitcast(shifted, whole), ir.Constant(whole, [fraction] * whole.count))
    return builder.bitcast(power, shifted.type)


def exponent(builder: Builder, x: Any) -> Any:
    """k of x = 2^k m, 1 <= m < 2, for normal x above 0."""
    whole, fraction, bias = _layout(x)
    bits = builder.lshr(builder.bitcast(x, whole), ir.Constant(whole, [fraction] * whole.count))
    return builder.sitofp(builder.sub(bits, ir.Constant(whole, [bias] * whole.count)), x.type)


def significand(builder: Builder, x: Any) -> Any:
    """m of it: the fraction of x with the exponent of 1."""
    whole, fraction, bias = _layout(x)
    bits = builder.and_(builder.bitcast(x, whole), ir.Constant(whole, [(1 << fraction) - 1] * whole.count))
    return builder.bitcast(builder.or_(bits, ir.Constant(whole, [bias << fraction] * whole.count)), x.type)


def nearly_inverse(builder: Builder, x: Any) -> Any:
    """1 / x to 0.051 of it, for normal x above 0: the bits of a number are about its logarithm to base 2, moved by the
    bias, and with 0.101 less than that line they come to as much above 1 / x as below."""
    whole, fraction, bias = _layout(x)
    twice_one = int((2 * bias - 0.101) * 2.0**fraction)
    bits = builder.sub(ir.Constant(whole, [twice_one] * whole.count), builder.bitcast(x, whole))
    return builder.bitcast(bits, x.type)


def _layout(x: Any) -> tuple[ir.VectorType, int, int]:
    """Whole numbers of the size of x's; bits of a fraction, and what exponents are moved by."""
    bits, fraction, bias = (32, 23, 127) if isinstance(x.type.element, ir.FloatType) else (64, 52, 1023)
    return ir.VectorType(ir.IntType(bits), x.type.count), fraction, bias


def _element_bytes(kind: ir.VectorType) -> int:
    return 4 if isinstance(kind.element, ir.FloatType) else 8


@contextmanager
def loop(builder: Builder, n: Any, initial: list[Any]) -> Iterator[tuple[list[Any], Callable[..., None]]]:
    """A loop of n turns over values in registers: yields them and a function that sets the next turn's.

    After the block the list holds their last values. LLVM is told not to unroll it: a turn is long enough, and the
    copies would double the time to compile.
    """
    before, body, after = builder.block, builder.append_basic_block("turn"), builder.append_basic_block("done")
    zero, one = ir.Constant(n.type, 0), ir.Constant(n.type, 1)
    builder.cbranch(builder.icmp_signed(">", n, zero), body, after)
    builder.position_at_end(body)
    # LLVM wants what comes from the turn before at the top of the turn, when nobody knows yet what that will be
    values: list[Any] = [builder.phi(value.type) for value in (zero, *initial)]
    for phi, value in zip(values, (zero, *initial), strict=True):
        phi.add_incoming(value, before)
    state: list[Any] = values[1:]
    following: list[Any] = []

    yield state, lambda *new: following.extend(new)

    turn = builder.add(values[0], one)
    end = builder.block
    branch = builder.cbranch(builder.icmp_signed("<", turn, n), body, after)
    branch.set_metadata("llvm.loop", _no_unrolling(builder.module))
    for phi, value in zip(values, (turn, *following), strict=True):
        phi.add_incoming(value, end)
    builder.position_at_end(after)
    for k, (first, last) in enumerate(zip(initial, following, strict=True)):
        result = builder.phi(first.type)
        result.add_incoming(first, before)
        result.add_incoming(last, end)
        state[k] = result


def chosen(
    builder: Builder, selector: Any, cases: Mapping[int, Callable[[], Sequence[Any]]], otherwise: Sequence[Any]
) -> list[Any]:
    """The values that the case of `selector` builds, as many as `otherwise` has, which stands where there is none."""
    after = builder.append_basic_block("after")
    switch = builder.switch(selector, after)
    ends = [(otherwise, builder.block)]
    for value, build in cases.items():
        block = builder.append_basic_block("case")
        switch.add_case(value, block)
        builder.position_at_end(block)
        ends.append((build(), builder.block))
        builder.branch(after)
    builder.position_at_end(after)
    results = [builder.phi(value.type) for value in otherwise]
    for values, block in ends:
        for phi, value in zip(results, values, strict=True):
            phi.add_incoming(value, block)
    return results


def _no_unrolling(module: Any) -> Any:
    rule = module.add_metadata([ir.MetaDataString(module, "llvm.loop.unroll.disable")])
    return module.add_metadata([rule, rule])
