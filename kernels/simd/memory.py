"""Arrays that begin at a cache line, as NumPy's do not: a vector that lies across two lines takes two loads."""

from __future__ import annotations

from typing import Any

import numpy as np

LINE = 64
"""Bytes, and those of the widest vector register."""


def empty(shape: int | tuple[int, ...], dtype: Any = np.float64) -> np.ndarray:
    """An array of this shape and dtype, not filled, whose first element lies at a multiple of LINE."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    raw = np.empty(size + LINE, np.uint8)
    start = -raw.ctypes.data % LINE
    result: np.ndarray = raw[start : start + size].view(dtype).reshape(shape)
    return result


def filled(array: Any, dtype: Any) -> np.ndarray:
    """A copy of an array in this dtype, flat."""
    result = empty(np.size(array), dtype)
    result[:] = np.ravel(array)
    return result
