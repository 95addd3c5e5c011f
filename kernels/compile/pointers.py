"""Pointers in kernels: indexed like arrays, without a look at the bounds or for negative indices, and moved.

A test of each index for negative values would halve the speed of the matrix products.
"""

from __future__ import annotations

import operator
from typing import Any

import numba
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import lower_builtin

types: Any = numba.types


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


infer_global(operator.getitem)(_PointerItem)
lower_builtin(operator.getitem, types.CPointer, types.Integer)(_get_item)
infer_global(operator.setitem)(_PointerItem)
lower_builtin(operator.setitem, types.CPointer, types.Integer, types.Any)(_set_item)
infer_global(operator.add)(_PointerMove)
lower_builtin(operator.add, types.CPointer, types.Integer)(_move)
