"""gd: p -= rate g  (gradient descent)."""

from __future__ import annotations

from typing import Any

from shoal.kernels.simd.formula import fma

HYPERS: dict[str, float] = {}
STATES = 0
DIRECT = True


def update(p: Any, g: Any, state: Any, rate: Any, numbers: Any) -> Any:
    return fma(-rate, g, p), ()
