"""Numbers as people write them."""

from __future__ import annotations

import numpy as np

ALWAYS = 6
"""The `least` power of ten that is so large that all numbers have an exponent."""


def number(value: float, digits: int = 3, least: int = -4) -> str:
    """So many significant digits, whole numbers whole; with an exponent below 10^least and from 1e6 on only."""
    if not np.isfinite(value) or value == 0:
        return f"{value:g}"
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    power = int(exponent)
    return f"{value:.{max(0, digits - 1 - power)}f}" if least <= power < 6 else f"{mantissa}e{power}"
