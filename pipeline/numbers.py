"""Numbers as people write them."""

from __future__ import annotations

import numpy as np


def number(value: float) -> str:
    """Three significant digits, whole numbers whole; with an exponent below 1e-4 and from 1e6 on only."""
    if not np.isfinite(value) or value == 0:
        return f"{value:g}"
    mantissa, exponent = f"{value:.2e}".split("e")
    power = int(exponent)
    return f"{value:.{max(0, 2 - power)}f}" if -4 <= power < 6 else f"{mantissa}e{power}"
