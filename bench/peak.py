"""The most multiply-adds that the cores can do: a loop of nothing else, compiled by the same means as the kernels."""

from __future__ import annotations

import threading
import time
from statistics import median
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from shoal.kernels.compile.host import HOST
from shoal.kernels.simd.instructions import INT64, broadcast, llvm_type, multiply_add, sum_of_lanes

ACCUMULATORS = 20
"""Independent sums: more than the instructions that two units of a latency of 4 to 5 cycles have under way."""
TURNS = 20_000_000


@intrinsic
def _multiply_adds(typingctx: Any, seed: Any, turns: Any) -> Any:
    """ACCUMULATORS vectors, each s = s x + y, `turns` times; their sum."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        kind = llvm_type(seed, HOST.vector_bytes // (seed.bitwidth // 8))
        x = broadcast(builder, args[0], kind)
        before, body, after = builder.block, builder.append_basic_block("turn"), builder.append_basic_block("done")
        builder.branch(body)
        builder.position_at_end(body)
        count = builder.phi(INT64)
        sums = [builder.phi(kind) for _ in range(ACCUMULATORS)]
        following = [multiply_add(builder, s, x, x) for s in sums]
        left = builder.sub(count, ir.Constant(INT64, 1))
        builder.cbranch(builder.icmp_signed(">", left, ir.Constant(INT64, 0)), body, after)
        count.add_incoming(args[1], before)
        count.add_incoming(left, body)
        for k, (s, new) in enumerate(zip(sums, following, strict=True)):
            s.add_incoming(ir.Constant(kind, [k * 1e-3] * kind.count), before)
            s.add_incoming(new, body)
        builder.position_at_end(after)
        total = following[0]
        for s in following[1:]:
            total = builder.fadd(total, s)
        return sum_of_lanes(builder, total)

    return seed(seed, types.int64), codegen


@numba.njit(nogil=True)
def _spin(seed: Any, turns: int) -> Any:
    return _multiply_adds(seed, turns)


def _together(work: Any, n_threads: int) -> float:
    """Seconds for `work()` on all of the threads at once."""
    threads = [threading.Thread(target=work) for _ in range(n_threads)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - start


def fma_peak(dtype: str, n_threads: int, repeats: int = 5) -> float:
    """GFLOP/s of the multiply-add loop, the median of `repeats`."""
    seed = np.dtype(dtype).type(0.5)
    lanes = HOST.vector_bytes // seed.itemsize
    _spin(seed, 1)
    seconds = [_together(lambda: _spin(seed, TURNS), n_threads) for _ in range(repeats)]
    return 2e-9 * TURNS * ACCUMULATORS * lanes * n_threads / median(seconds)


def blas_rate(dtype: str, n: int = 2048, repeats: int = 7) -> float:
    """GFLOP/s of NumPy's product of two matrices of n x n, on the threads that its library uses: the best of some."""
    a, b, out = np.random.default_rng(0).random((3, n, n)).astype(dtype)
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        np.dot(a, b, out=out)
        seconds.append(time.perf_counter() - start)
    return 2e-9 * n**3 / min(seconds)
