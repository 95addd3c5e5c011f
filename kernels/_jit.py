"""The only jit decorators and flags, and where compiled kernels are kept.

Compiled code is cached in the user's cache folder, below a name that hashes all kernel sources: Numba looks at the
time stamp of one file only, so an edit in an inlined callee would otherwise leave its callers stale.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from numba.core import types
from numba.extending import intrinsic

FUSED = {"contract"}
VECTORISED_SUMS = {"contract", "reassoc"}
"""Fast-math flags: fused multiply-adds, and sums in the order of the vector lanes. Never `nnan` or `ninf`: they would
let a diverged network pass for a fine one."""


def source_hash() -> str:
    """Hex SHA-256 over the names and contents of the kernel source files."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "shoal" / f"kernels-{source_hash()[:16]}"


if "NUMBA_CACHE_DIR" not in os.environ:
    numba.config.CACHE_DIR = str(_cache_folder())


def compiled_before() -> bool:
    """Whether kernels of these sources lie in the cache; if not, the first call takes about a minute to compile."""
    return any(Path(numba.config.CACHE_DIR).rglob("*.nbc"))


def jit(function: Callable[..., Any]) -> Any:
    """Compile a kernel that runs on the thread that calls it, without the interpreter lock."""
    return numba.njit(function, cache=True, nogil=True, fastmath=FUSED, error_model="numpy")


def sum_jit(function: Callable[..., Any]) -> Any:
    """Like `jit`, for kernels that are dot products: their sums are vectorised."""
    return numba.njit(function, cache=True, nogil=True, fastmath=VECTORISED_SUMS, error_model="numpy")


def parallel_jit(function: Callable[..., Any]) -> Any:
    """Like `jit`, with `prange` loops that run on all threads."""
    return numba.njit(function, cache=True, nogil=True, fastmath=FUSED, error_model="numpy", parallel=True)


@intrinsic
def fetch_add(typingctx: Any, counter: Any, amount: Any) -> Any:
    """Add `amount` to `counter[0]` (int64 array) atomically; returns the value before: threads can share a queue."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, args[0])
        return builder.atomic_rmw("add", array.data, args[1], "monotonic")

    return types.int64(counter, types.int64), codegen


def _reinterpret(result: Any) -> Any:
    def typer(typingctx: Any, value: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return builder.bitcast(args[0], context.get_value_type(result))

        return result(value), codegen

    return intrinsic(typer)


bits_of = _reinterpret(types.int64)
"""The 64 bits of a float64 as an int64."""
float_of = _reinterpret(types.float64)
"""The float64 that has the 64 bits of an int64."""
