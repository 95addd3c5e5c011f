"""Compiling kernels for the first time, on two processes: nearly all of it is Python's own work, which threads cannot
share.

Both go through the same list of kernels, callees before callers, this process from the front and the other from the
back, and claim each by making a file. The other only fills the cache: it never calls what it compiles, so that any
address will do for the kernels that its own call.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TypeAlias

import llvmlite.binding as llvm
import numba
import numpy as np

from shoal.kernels.compile import cache
from shoal.kernels.compile.linked import Linked, known

Wanted: TypeAlias = Sequence[tuple[Linked, np.dtype]]
PACKAGE = "shoal.kernels."
NOWHERE = 1
"""An address that is never called."""


def load_all(wanted: Wanted) -> None:
    """Make the kernels ready to be called, and compile those that are not in the cache; callees stand first."""
    cold = [(kernel, dtype) for kernel, dtype in wanted if not kernel.is_ready(dtype)]
    if len(cold) > 2 and cache.is_writable():
        with tempfile.TemporaryDirectory() as claims, _helper(claims, cold):
            _compile(wanted, Path(claims))
    for kernel, dtype in wanted:
        kernel.load(dtype)


def _helper(claims: str, cold: Wanted) -> subprocess.Popen[bytes]:
    names = [f"{kernel.name}.{dtype}" for kernel, dtype in reversed(cold)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    modules = ",".join(name for name in sys.modules if name.startswith(PACKAGE))
    command = [sys.executable, "-m", __name__, claims, modules, *names]
    quiet = subprocess.DEVNULL  # what it cannot do is done, and reported, by this process
    return subprocess.Popen(command, env=environment, stdin=quiet, stdout=quiet, stderr=quiet)


def _compile(wanted: Wanted, claims: Path) -> None:
    """Load one after another, compiled or not, up to where the other process has come: its kernels are callers of
    those before them."""
    for kernel, dtype in wanted:
        try:
            (claims / kernel.symbol(numba.from_dtype(dtype))).touch(exist_ok=False)
        except FileExistsError:
            return
        kernel.load(dtype)


def main() -> None:
    """The other process."""
    claims, modules, *names = sys.argv[1:]
    for module in modules.split(","):  # which made the kernels
        import_module(module)
    for kernel in known.values():
        for dtype in (numba.float32, numba.float64):
            llvm.add_symbol(kernel.symbol(dtype), NOWHERE)
    parts = [name.rpartition(".") for name in names]
    _compile([(known[name], np.dtype(dtype)) for name, _, dtype in parts], Path(claims))


if __name__ == "__main__":
    main()
