"""A ladder of kernel versions, and what each step of it gained, on one thread: of a matrix product, and of the engine.

Versions are timed in turn, round after round, so that what else the machine does falls on all of them alike. Run it as
python -m bench.ladder.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from itertools import product as pairs
from statistics import median
from timeit import repeat, timeit
from typing import Any, NamedTuple
from unittest.mock import patch

import numba
import numpy as np
from threadpoolctl import threadpool_limits

from bench.workloads import SEED, WORKLOADS
from shoal.kernels.compile.host import HOST
from shoal.kernels.compile.jit import FUSED
from shoal.kernels.compile.linked import kernels
from shoal.kernels.compile.warmup import load_all
from shoal.kernels.ensemble import train
from shoal.kernels.matrix.blocks import FROM_BIAS, KEEP, Panel, Weights, product_block
from shoal.kernels.simd import memory
from shoal.kernels.simd.lanes import SAMPLES
from shoal.kernels.simd.memory import empty
from shoal.kernels.training import chunks, fleet, plan

DTYPES = ("float32", "float64")
UNITS, N, STEPS = 50, 512, 200
ROUNDS, REPEATS = 7, 2
LEAST = 3e-3
"""Seconds that are long enough to be timed."""
OFFSET = 16
"""Bytes behind the beginning of a cache line, where NumPy's large arrays begin."""
compiled = numba.njit(fastmath=FUSED, error_model="numpy")
Work = tuple[float, Callable[[], Any]]
"""Flops, and what does them."""


class Step(NamedTuple):
    """A version and its GFLOP/s by dtype."""

    name: str
    rates: dict[str, float]


class Version(NamedTuple):
    """z = W a + b as `product(W, b, a, z)`; W (UNITS, UNITS), a and z (UNITS, N) or, sample-major, (N, UNITS)."""

    name: str
    product: Any
    sample_major: bool = False
    aligned: bool = False


def off_line(shape: int | tuple[int, ...], dtype: Any = np.float64) -> np.ndarray:
    """`empty`, but the array begins OFFSET bytes behind the beginning of a cache line."""
    skip = OFFSET // np.dtype(dtype).itemsize
    return empty(skip + int(np.prod(shape)), dtype)[skip:].reshape(shape)


def numpy_by_sample(W: np.ndarray, b: np.ndarray, a: np.ndarray, z: np.ndarray) -> None:
    """A matrix times a vector, sample by sample."""
    for s in range(N):
        z[s] = W @ a[s] + b


def numpy_dot(W: np.ndarray, b: np.ndarray, a: np.ndarray, z: np.ndarray) -> None:
    """BLAS, into memory that is there."""
    np.dot(W, a, out=z)
    np.add(z, b[:, None], out=z)


@compiled
def loops_by_sample(W: Any, b: Any, a: Any, z: Any) -> None:
    """The formula as it stands."""
    for s in range(N):
        for o in range(UNITS):
            total = b[o]
            for i in range(UNITS):
                total += W[o, i] * a[s, i]
            z[s, o] = total


@compiled
def loops_by_feature(W: Any, b: Any, a: Any, z: Any) -> None:
    """The loop inside runs over samples: LLVM makes vectors of them, but z goes to memory and back each time."""
    for o in range(UNITS):
        for s in range(N):
            z[o, s] = b[o]
        for i in range(UNITS):
            for s in range(N):
                z[o, s] += W[o, i] * a[i, s]


def tiled(rows: int, columns: int) -> Any:
    """The product in register tiles: `rows` rows of z and `columns` vectors of each stay in registers until they are
    done; rows that are left over go one by one."""
    block, width = product_block(SAMPLES, [(rows, columns), (1, columns)], {}), SAMPLES.width
    end, start, keep = UNITS // rows * rows, FROM_BIAS, KEEP

    @compiled
    def product(W: Any, b: Any, a: Any, z: Any) -> None:
        w, x, y = W.ravel(), a.ravel(), z.ravel()
        for s in range(0, N, columns * width(a)):
            o = 0
            while o < UNITS:
                r = rows if o < end else 1
                weights, panel = Weights(w[o * UNITS :], UNITS, 1, b[o:]), Panel(x[s:], N, y[o * N + s :], x, N)
                block(r, columns, weights, panel, UNITS, start, keep)
                o += r

    return product


def engine_product() -> Any:
    """The kernel that trains the networks, for which b has to stand behind W."""
    kernel = kernels[SAMPLES.name, "product"]
    load_all([(kernel, np.dtype(dtype)) for dtype in DTYPES])
    function = kernel.function

    @compiled
    def product(W: Any, b: Any, a: Any, z: Any) -> None:
        function(W, UNITS, UNITS, a, N, z, z, N, N, FROM_BIAS, KEEP)

    return product


def repeated(product: Any) -> Any:
    """run(W, b, a, z, turns): the product so many times, in a compiled loop if it is compiled."""

    def run(W: Any, b: Any, a: Any, z: Any, turns: int) -> None:
        for _ in range(turns):
            product(W, b, a, z)

    return compiled(run) if numba.extending.is_jitted(product) else run


def product_work(version: Version, dtype: str) -> Work:
    """The version's product, often enough to be timed, after a look at its result."""
    values = np.random.default_rng(SEED).normal(size=(UNITS + 1 + N, UNITS)).astype(dtype)
    W, b, x = values[:UNITS], values[UNITS], values[UNITS + 1 :]
    expected = np.dot(x, W.T) + b
    inputs, expected = (x, expected) if version.sample_major else (x.T, expected.T)
    a, z = ((empty if version.aligned else off_line)(inputs.shape, dtype) for _ in range(2))
    a[:], z[:] = inputs, np.nan
    run = partial(repeated(version.product), W, b, a, z)
    run(1)
    np.testing.assert_allclose(z, expected, rtol=0, atol=1e3 * np.finfo(dtype).eps)
    turns = 1 + int(LEAST / timeit(partial(run, 1), number=1))
    return 2.0 * UNITS * UNITS * N * turns, partial(run, turns)


def measured(works: dict[tuple[str, str], Work]) -> list[Step]:
    """Steps from works by name and dtype: the median over the rounds of the best of some calls in a row."""
    rounds = [{key: min(repeat(work, number=1, repeat=REPEATS)) for key, (_, work) in works.items()}
              for _ in range(ROUNDS)]  # fmt: skip
    rates = {key: 1e-9 * flops / median(times[key] for times in rounds) for key, (flops, _) in works.items()}
    return [Step(name, {dtype: rates[name, dtype] for dtype in DTYPES}) for name in dict.fromkeys(n for n, _ in works)]


def product_ladder() -> list[Step]:
    """The matrix product of a hidden layer of UNITS x UNITS over N samples; NumPy first, then kernels of our own."""
    rows, columns = HOST.sample_tile
    versions = (
        Version("NumPy, sample by sample", numpy_by_sample, sample_major=True),
        Version("NumPy, np.dot into place", numpy_dot),
        Version("Numba, plain loops, sample-major", loops_by_sample, sample_major=True),
        Version("Numba, plain loops, feature-major", loops_by_feature),
        Version("register tile of 1 x 1", tiled(1, 1)),
        Version("register tile of 4 x 1", tiled(4, 1)),
        Version("register tile of 4 x 4", tiled(4, 4)),
        Version("4 x 4, memory aligned to 64 bytes", tiled(4, 4), aligned=True),
        Version(f"{rows} and {rows - 1} x {columns} and {columns - 1}: the engine", engine_product(), aligned=True),
    )
    with threadpool_limits(1):
        return measured({(v.name, dtype): product_work(v, dtype) for v, dtype in pairs(versions, DTYPES)})


def engine_ladder() -> list[Step]:
    """Training the networks 1-50-50-1 of W2, with choices of the engine switched off."""
    unaligned = [(module, "empty", off_line) for module in (memory, fleet, chunks)]
    ladder = {
        "tiles of 64 samples": [(plan, "LARGEST_TILE", 64), *unaligned],
        f"tiles of {plan.LARGEST_TILE} samples": unaligned,
        "memory aligned to 64 bytes: the engine": [],
    }
    whole = WORKLOADS["W2"]
    chosen = [replace(spec, steps=STEPS) for spec in whole.specs if whole.sizes(spec) == [1, UNITS, UNITS, 1]]
    workload = replace(whole, specs=tuple(chosen))

    def run(patches: list[tuple[Any, str, Any]], dtype: str) -> None:
        with ExitStack() as stack:
            for module, name, value in patches:
                stack.enter_context(patch.object(module, name, value))
            train(workload.specs, *workload.data, seed=SEED, dtype=dtype, n_threads=1)

    for dtype in DTYPES:
        run([], dtype)  # loads the kernels
    works = {(name, d): partial(run, ladder[name], d) for name, d in pairs(ladder, DTYPES)}
    return measured({key: (workload.total_flops, work) for key, work in works.items()})


def main() -> None:
    """Print both ladders."""
    for title, ladder in (("z = W a + b", product_ladder()), ("The engine", engine_ladder())):
        print(f"{title:40}" + "".join(f"{dtype + ', GFLOP/s':>20}{'gain':>9}" for dtype in DTYPES))
        for k, (name, rates) in enumerate(ladder):
            gains = {d: f"x {rates[d] / ladder[k - 1].rates[d]:.2f}" if k else "" for d in DTYPES}
            print(f"{name:40}" + "".join(f"{rates[d]:20.1f}{gains[d]:>9}" for d in DTYPES))


if __name__ == "__main__":
    main()
