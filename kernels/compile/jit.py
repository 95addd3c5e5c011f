"""The only jit decorators and flags; cache.py says where compiled kernels are kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba

types: Any = numba.types
FUSED = {"contract"}
"""Fast-math flags: fused multiply-adds. Never `nnan` or `ninf`, which would let a diverged network pass for a fine
one."""


def jit(function: Callable[..., Any]) -> Any:
    """Compile a kernel that becomes part of the kernels that call it; see linked.py for those that do not."""
    kernel = numba.njit(
        function, nogil=True, fastmath=FUSED, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True
    )
    template = kernel.get_call_template
    # Numba would compile it once more for each constant that is passed: LLVM finds these where it inlines the call
    kernel.get_call_template = lambda args, kws: template([types.unliteral(t) for t in args], kws)
    return kernel


def unfused(function: Callable[..., Any]) -> Any:
    """The same for what has to round every product and every sum as plain C does."""
    return numba.njit(function, nogil=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)


def inlined(function: Callable[..., Any]) -> Any:
    """Make a kernel part of its callers' source, before compilation."""
    return numba.njit(function, inline="always", nogil=True, fastmath=FUSED, error_model="numpy")
