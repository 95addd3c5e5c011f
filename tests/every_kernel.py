"""Compiles every kernel that is not in the cache, on two processes: `python -m tests.every_kernel`."""

from __future__ import annotations

from itertools import product

import numpy as np

import shoal.kernels.ensemble  # noqa: F401, which makes the kernels
from shoal.kernels.compile.linked import known
from shoal.kernels.compile.warmup import load_all


def main() -> None:
    wanted = [(kernel, np.dtype(name)) for name, kernel in product(("float64", "float32"), known.values())]
    if not all(kernel.is_ready(dtype) for kernel, dtype in wanted):
        load_all(wanted)


if __name__ == "__main__":
    main()
