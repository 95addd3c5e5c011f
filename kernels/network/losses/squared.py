"""squared: c = r^2 / 2,  dc/dy_hat = r,  r = y_hat - y.

The mean over samples of the sum over outputs is half_mse = (1/N) sum_n 1/2 sum_k (y_hat_nk - y_nk)^2.
"""

from __future__ import annotations

from typing import Any


def cost(r: Any) -> Any:
    return 0.5 * r * r


def slope(r: Any) -> Any:
    return r
