"""The libraries that compute, and which versions of them are installed, without importing any."""

from __future__ import annotations

import platform
from importlib.metadata import version

LIBRARIES = ("numpy", "numba", "llvmlite", "pandas", "pyarrow")


def libraries() -> dict[str, str]:
    """Versions of Python and of the libraries that compute."""
    return {"python": platform.python_version()} | {name: version(name) for name in LIBRARIES}
