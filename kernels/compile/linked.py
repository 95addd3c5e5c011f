"""Kernels that are compiled once for each dtype and called by the name of their symbol.

Numba links the code of a callee into every caller and optimises it there again, level after level: the matrix kernels
would be compiled five times over. A linked kernel is a C function in the cache; callers hold no more than its name, so
it has to be loaded, with `load`, before a compiled caller is.

The annotations of its arguments are its signature: `Pointer` (to elements of the kernel's dtype), `Doubles` and
`Integers` (pointers to float64 and int64), `int` and `float` (64 bits). Python calls it with arrays for pointers. Many
arrays go together as a NamedTuple with the same annotations: `packed` by Python into a table of addresses, which the
kernel turns into a tuple of pointers with what `unpacked` returns.

Where Python chooses one of many kernels of a signature (an activation, an optimizer), kernels call it by its address.
"""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property, partial
from typing import Any, TypeAlias

import llvmlite.binding as llvm
import numba
import numpy as np
from llvmlite import ir
from numba.core import ccallback, cgutils
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin

from shoal.kernels.compile import pointers  # noqa: F401, which kernels index and move
from shoal.kernels.compile.cache import KernelCache
from shoal.kernels.compile.jit import FUSED

types: Any = numba.types
Pointer: TypeAlias = Any
Doubles: TypeAlias = Any
Integers: TypeAlias = Any
POINTERS = {"Doubles": types.CPointer(types.float64), "Integers": types.CPointer(types.int64)}
SCALARS = {"int": types.intp, "float": types.float64}
kernels: dict[tuple[str, str], Linked] = {}
"""By group and name: those that other kernels call by their name, callees before their callers."""
known: dict[str, Linked] = {}
"""All that were made, by `Linked.name`."""


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
    """A kernel of a group to be compiled for each dtype, whose function `make` makes; `signature` has its arguments."""

    def __init__(
        self, group: str, own_name: str, signature: Callable[..., Any], make: Callable[[], Callable[..., Any]]
    ) -> None:
        self.group, self.own_name, self._make = group, own_name, make
        self.kinds = list(signature.__annotations__.values())
        self.compiled: dict[Any, Any] = {}
        self.callers: dict[np.dtype, Any] = {}
        known[self.name] = self

    @cached_property
    def function(self) -> Callable[..., Any]:
        """What is compiled."""
        return self._make()

    @property
    def name(self) -> str:
        """The group and its own name."""
        return f"{self.group}.{self.own_name}"

    def symbol(self, dtype: Any) -> str:
        """The name under which the compiled code is found."""
        return f"shoal_{self.group}_{self.own_name}_{dtype}"

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

    def address(self, dtype: np.dtype) -> int:
        """Where the compiled code is, once it is loaded: what kernels need to call it by its address."""
        return int(self.compiled[numba.from_dtype(dtype)].address)

    def __call__(self, dtype: np.dtype, *args: Any) -> None:
        """Call it from Python, with arrays for pointers; the interpreter lock is released."""
        if dtype not in self.callers:
            kinds = (ctypes.c_double if kind == "float" else ctypes.c_ssize_t for kind in self.kinds)
            self.callers[dtype] = ctypes.CFUNCTYPE(None, *kinds)(self.address(dtype))  # pointers as addresses
        self.callers[dtype](*(arg.ctypes.data if isinstance(arg, np.ndarray) else arg for arg in args))

    def dtype(self, args: Any) -> Any:
        """The dtype of a call, from the types of its arguments."""
        return next(t.dtype for t, kind in zip(args, self.kinds, strict=True) if kind == "Pointer")

    def emit(self, context: Any, builder: Any, sig: Any, args: Any) -> Any:
        """A call by name."""

        def callee(function_type: ir.FunctionType) -> Any:
            return cgutils.get_or_insert_function(builder.module, function_type, self.symbol(self.dtype(sig.args)))

        return _call(context, builder, callee, sig.args, args)


def _typed(kinds: list[str], args: Any) -> list[Any]:
    """The types of a call's arguments, numbers as the kernel takes them."""
    return [SCALARS.get(kind, t) for t, kind in zip(args, kinds, strict=True)]


def _call(context: Any, builder: Any, callee: Callable[[ir.FunctionType], Any], kinds: Any, args: Any) -> Any:
    """A call, with arrays as pointers to their first element."""
    values = [_native(context, builder, t, value) for t, value in zip(kinds, args, strict=True)]
    builder.call(callee(ir.FunctionType(ir.VoidType(), [value.type for value in values])), values)
    return context.get_dummy_value()


def _native(context: Any, builder: Any, kind: Any, value: Any) -> Any:
    return context.make_array(kind)(context, builder, value).data if isinstance(kind, types.Array) else value


def _callable(function: Callable[..., Any], typed: Callable[[Any], list[Any]], lower: Callable[..., Any]) -> None:
    """Make Numba take calls of `function` as what `lower` writes."""

    class CallTyping(AbstractTemplate):  # type: ignore[misc]
        key = function

        def generic(self, args: Any, kws: Any) -> Any:
            return signature(types.void, *typed(args))

    infer_global(function, types.Function(CallTyping))
    lower_builtin(function, types.VarArg(types.Any))(lower)


def linked(group: str, entry: bool = False) -> Callable[[Callable[..., Any]], Any]:
    """Decorator: a kernel of `group`, which tells kernels of the same name apart (samples or networks in lanes).

    Kernels call it under the function's own name. An `entry` is called by Python, or by its address.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        kernel = Linked(group, function.__name__, function, lambda: function)
        if entry:
            return kernel
        kernels[group, function.__name__] = kernel
        _callable(function, lambda args: _typed(kernel.kinds, args), kernel.emit)
        return function

    return decorate


def one_of(signature: Callable[..., Any], group: str, name: str) -> Callable[[Callable[[], Any]], Linked]:
    """Decorator of what makes the function of an entry: one of those with the signature of what is `called_by_address`.

    There are many, of which a study calls a few: each is made when it is loaded.
    """
    return partial(Linked, group, name, signature)


def called_by_address(function: Callable[..., Any]) -> Any:
    """Decorator: any of the kernels with this signature; a call has the address of one in front of its arguments.

    So kernels call what Python has chosen (`Linked.address`), and nothing else has to be compiled for them.
    """
    kinds = list(function.__annotations__.values())

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        address, *values = args
        return _call(context, builder, lambda kind: builder.inttoptr(address, kind.as_pointer()), sig.args[1:], values)

    _callable(function, lambda args: [types.int64, *_typed(kinds, args[1:])], lower)
    return function


def packed(arrays: Any) -> np.ndarray:
    """The addresses of the arrays, and the numbers, in a NamedTuple: (n_fields,) int64. The arrays must outlive it."""
    return np.array([v.ctypes.data if isinstance(v, np.ndarray) else v for v in arrays], np.int64)


def unpacked(kind: type) -> Any:
    """An intrinsic that turns `packed` back into the NamedTuple, with pointers for arrays.

    Its arguments are the table and, where a field is a `Pointer`, any pointer of the kernel's dtype.
    """
    fields = [str(getattr(field, "__forward_arg__", field)) for field in kind.__annotations__.values()]

    def typed(table: Any, pointer: Any) -> Any:
        kinds = POINTERS | {"Pointer": pointer, "int": types.int64, "float": types.float64}
        result = types.NamedTuple([kinds[field] for field in fields], kind)

        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            values = []
            for k, t in enumerate(result.types):
                value = builder.load(builder.gep(args[0], [ir.Constant(ir.IntType(64), k)]))
                if isinstance(t, types.CPointer):
                    value = builder.inttoptr(value, context.get_value_type(t))
                elif t == types.float64:
                    value = builder.bitcast(value, context.get_value_type(t))
                values.append(value)
            return context.make_tuple(builder, result, values)

        return result, codegen

    def plain(typingctx: Any, table: Any) -> Any:
        result, codegen = typed(table, None)
        return result(table), codegen

    def with_pointers(typingctx: Any, table: Any, pointer: Any) -> Any:
        result, codegen = typed(table, pointer)
        return result(table, pointer), codegen

    return intrinsic(with_pointers if "Pointer" in fields else plain)


def kernels_of(group: str) -> list[Linked]:
    """All kernels of a group but the entries, callees before their callers."""
    return [kernel for (its_group, _), kernel in kernels.items() if its_group == group]
