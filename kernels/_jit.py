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

FUSED = {"contract"}
"""Fast-math flags: fused multiply-adds. Never `nnan` or `ninf`, which would let a diverged network pass for a fine
one."""


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


def jit(function: Callable[..., Any]) -> Any:
    """Compile a kernel that becomes part of the kernels that call it; see linked.py for those that do not."""
    return numba.njit(
        function, nogil=True, fastmath=FUSED, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True
    )


def inlined(function: Callable[..., Any]) -> Any:
    """Make a kernel part of its callers' source, before compilation."""
    return numba.njit(function, inline="always", nogil=True, fastmath=FUSED, error_model="numpy")
