"""Kernels that are compiled once for each dtype and called by the name of their symbol.

Numba links the code of a callee into every caller and optimises it there again, level after level: the matrix kernels
would be compiled five times over. A linked kernel is a C function in the cache; callers hold no more than its name, so
it has to be loaded, with `load`, before a compiled caller is.

The annotations of its arguments are its signature: `Pointer` (to elements of the kernel's dtype), `Costs` and `Table`
(pointers to float64 and int64), `int` and `float` (64 bits). Python calls it with arrays for pointers. Many arrays go
together as a NamedTuple with the same annotations: `packed` by Python into a table of addresses, which the kernel turns
into a tuple of pointers with what `unpacked` returns.
"""

from __future__ import annotations

import gc
import operator
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

import llvmlite.binding as llvm
import numba
import numpy as np
from llvmlite import ir
from numba.core import ccallback, cgutils
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin

from shoal.kernels.compile.jit import FUSED
from shoal.kernels.compile.cache import KernelCache

types: Any = numba.types
Pointer: TypeAlias = Any
Costs: TypeAlias = Any
Table: TypeAlias = Any
POINTERS = {"Costs": types.CPointer(types.float64), "Table": types.CPointer(types.int64)}
SCALARS = {"int": types.intp, "float": types.float64}
kernels: dict[tuple[str, str], Linked] = {}
"""By group and name; callees come before their callers."""


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Compilation makes millions of objects that live on: looking for garbage among them takes a fifth of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class Linked:
    """A kernel to be compiled for each dtype."""

    def __init__(self, function: Callable[..., Any], group: str) -> None:
        self.function, self.group = function, group
        self.kinds = list(function.__annotations__.values())
        self.compiled: dict[Any, Any] = {}

    def symbol(self, dtype: Any) -> str:
        """The name under which the compiled code is found."""
        return f"shoal_{self.group}_{self.function.__name__}_{dtype}"

    def c_signature(self, dtype: Any) -> Any:
        """The signature of the C function."""
        kinds = POINTERS | SCALARS | {"Pointer": types.CPointer(dtype)}
        return types.void(*(kinds[kind] for kind in self.kinds))

    def is_ready(self, dtype: np.dtype) -> bool:
        """Whether `load` will find it compiled."""
        kind = numba.from_dtype(dtype)
        if kind in self.compiled:
            return True
        return KernelCache(self.symbol(kind)).holds()

    def load(self, dtype: np.dtype) -> None:
        """Compile it, or take it from the cache, and make its symbol known."""
        kind = numba.from_dtype(dtype)
        if kind in self.compiled:
            return
        sig, options = self.c_signature(kind), {"nopython": True, "fastmath": FUSED, "error_model": "numpy"}
        compiled: Any = ccallback.CFunc(self.function, (sig.args, sig.return_type), locals={}, options=options)
        compiled._cache = KernelCache(self.symbol(kind))
        with _no_garbage_collection():
            compiled.compile()
        self.compiled[kind] = compiled
        llvm.add_symbol(self.symbol(kind), compiled.address)

    def __call__(self, dtype: np.dtype, *args: Any) -> None:
        """Call it from Python, with arrays for pointers; the interpreter lock is released."""
        kernel = self.compiled[numba.from_dtype(dtype)].ctypes
        kernel(*(arg.ctypes.data_as(kind) if isinstance(arg, np.ndarray) else arg
                 for arg, kind in zip(args, kernel.argtypes, strict=True)))  # fmt: skip

    def dtype(self, args: Any) -> Any:
        """The dtype of a call, from the types of its arguments."""
        return next(t.dtype for t, kind in zip(args, self.kinds, strict=True) if kind == "Pointer")

    def typed(self, args: Any) -> Any:
        """The signature of a call."""
        return signature(types.void, *(SCALARS.get(kind, t) for t, kind in zip(args, self.kinds, strict=True)))

    def emit(self, context: Any, builder: Any, sig: Any, args: Any) -> Any:
        """A call, with arrays as pointers to their first element."""
        values = [_native(context, builder, t, value) for t, value in zip(sig.args, args, strict=True)]
        function_type = ir.FunctionType(ir.VoidType(), [value.type for value in values])
        callee = cgutils.get_or_insert_function(builder.module, function_type, self.symbol(self.dtype(sig.args)))
        builder.call(callee, values)
        return context.get_dummy_value()


def _native(context: Any, builder: Any, kind: Any, value: Any) -> Any:
    return context.make_array(kind)(context, builder, value).data if isinstance(kind, types.Array) else value


def linked(group: str, entry: bool = False) -> Callable[[Callable[..., Any]], Any]:
    """Decorator: a kernel of `group`, which tells kernels of the same name apart (samples or networks in lanes).

    An `entry` is called by Python alone; the others by kernels, under the function's own name.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        kernel = Linked(function, group)
        if entry:
            return kernel

        class Typing(AbstractTemplate):  # type: ignore[misc]
            key = function

            def generic(self, args: Any, kws: Any) -> Any:
                return kernel.typed(args)

        kernels[group, function.__name__] = kernel
        infer_global(function, types.Function(Typing))
        lower_builtin(function, types.VarArg(types.Any))(kernel.emit)
        return function

    return decorate


def packed(arrays: Any) -> np.ndarray:
    """The addresses of the arrays, and the numbers, in a NamedTuple: (n_fields,) int64. The arrays must outlive it."""
    return np.array([v.ctypes.data if isinstance(v, np.ndarray) else v for v in arrays], np.int64)


def unpacked(kind: type) -> Any:
    """An intrinsic (table, like) that turns `packed` back into the NamedTuple, with pointers for arrays.

    `like` is any pointer of the kernel's dtype.
    """
    fields = [str(getattr(field, "__forward_arg__", field)) for field in kind.__annotations__.values()]

    def unpack(typingctx: Any, table: Any, like: Any) -> Any:
        kinds = POINTERS | {"Pointer": like, "int": types.int64}
        result = types.NamedTuple([kinds[field] for field in fields], kind)

        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            values = []
            for k, t in enumerate(result.types):
                value = builder.load(builder.gep(args[0], [ir.Constant(ir.IntType(64), k)]))
                pointer = isinstance(t, types.CPointer)
                values.append(builder.inttoptr(value, context.get_value_type(t)) if pointer else value)
            return context.make_tuple(builder, result, values)

        return result(table, like), codegen

    return intrinsic(unpack)


class _PointerItem(AbstractTemplate):  # type: ignore[misc]
    def generic(self, args: Any, kws: Any) -> Any:
        pointer, at, *value = args
        if not isinstance(pointer, types.CPointer) or not isinstance(at, types.Integer):
            return None
        result = types.void if value else pointer.dtype
        return signature(result, pointer, types.intp, *[pointer.dtype for _ in value])


def _get_item(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    return builder.load(builder.gep(args[0], [args[1]]))


def _set_item(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    builder.store(args[2], builder.gep(args[0], [args[1]]))
    return context.get_dummy_value()


class _PointerMove(AbstractTemplate):  # type: ignore[misc]
    def generic(self, args: Any, kws: Any) -> Any:
        pointer, distance = args
        if not isinstance(pointer, types.CPointer) or not isinstance(distance, types.Integer):
            return None
        return signature(pointer, pointer, types.intp)


def _move(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    return builder.gep(args[0], [args[1]])


# Pointers are indexed like arrays, without a look at the bounds or for negative indices, and move by elements.
infer_global(operator.getitem)(_PointerItem)
lower_builtin(operator.getitem, types.CPointer, types.Integer)(_get_item)
infer_global(operator.setitem)(_PointerItem)
lower_builtin(operator.setitem, types.CPointer, types.Integer, types.Any)(_set_item)
infer_global(operator.add)(_PointerMove)
lower_builtin(operator.add, types.CPointer, types.Integer)(_move)


def kernels_of(group: str) -> list[Linked]:
    """All kernels of a group but the entries, callees before their callers."""
    return [kernel for (its_group, _), kernel in kernels.items() if its_group == group]
