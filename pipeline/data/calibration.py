"""How many rows an interval needs: its half width is the ceil((n + 1) level)-th smallest of n residuals."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor

from shoal.pipeline.config.faults import Notice
from shoal.pipeline.cv_plus import rank


def rows_needed(level: float) -> int:
    """The fewest rows that give an interval: rank(n) <= n is n >= level / (1 - level)."""
    exact = Fraction(str(level))
    return ceil(exact / (1 - exact))


def too_few(n: int, level: float, key: str = "data.fractions.calibration") -> str:
    """A line where so many rows give no interval; empty where they do. `key` is of a share that would have more."""
    if rank(n, level) <= n:
        return ""
    need = rows_needed(level)
    return (
        f"no prediction interval: found {n} rows to calibrate on; allowed: {need} or more for interval: {level:g} "
        f"(a larger {key}, more rows, or a lower level); the columns of its ends are empty"
    )


def notice(n: int, level: float, n_cut: int) -> Notice:
    """The same before anything runs, where these rows are a share of `n_cut`."""
    need = rows_needed(level)
    found = f"{n} row{'s' * (n != 1)} to calibrate on, of {need} that a level of {level:g} needs: it will be empty"
    enough = ceil(1000 * (need + 1) / n_cut) / 1000  # ends of shares are rounded
    share = f" (from {enough:g} on)" if enough < 1 else ""
    highest = floor(1000 * n / (n + 1)) / 1000
    way_out = f"a larger share data.fractions.calibration{share}, more rows, or a level of up to {highest:g}"
    return Notice("interval", found, way_out)
