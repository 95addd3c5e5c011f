"""The instruction set that the kernels are compiled for, and what follows from it: the one place where they differ.

Numba's own switches choose it (NUMBA_CPU_NAME, NUMBA_CPU_FEATURES); without them it is the host's. LLVM lowers a vector
that is wider than the machine's registers to several of them, so that every choice here is right everywhere, and only
some are fast.
"""

from __future__ import annotations

from dataclasses import dataclass

import llvmlite
import llvmlite.binding as llvm
import numba


@dataclass(frozen=True)
class InstructionSet:
    """A name, bytes in a vector register, and rows x columns of vectors in the largest register tile (tile.py).

    There is one for samples in lanes (lanes.py), and for networks in lanes one for products, which is narrow, as a
    mini-batch may fill few vectors, and one for the gradients of weights.
    """

    name: str
    vector_bytes: int
    sample_tile: tuple[int, int]
    network_tile: tuple[int, int]
    gradient_tile: tuple[int, int]


AVX512 = InstructionSet("avx512", 64, (5, 5), (6, 4), (5, 3))
AVX2 = InstructionSet("avx2", 32, (5, 2), (4, 2), (4, 2))
NEON = InstructionSet("neon", 16, (5, 5), (4, 2), (4, 2))
BASELINE = InstructionSet("baseline", 16, (5, 2), (4, 1), (4, 1))


def _has(feature: str) -> bool:
    named = numba.config.CPU_NAME
    if numba.config.CPU_FEATURES is not None:
        return f"+{feature}" in numba.config.CPU_FEATURES.split(",")
    return named in (None, "host") and bool(llvm.get_host_cpu_features().get(feature, False))


def instruction_set() -> InstructionSet:
    """The widest that the features allow; AVX2 counts only together with FMA."""
    if llvm.get_process_triple().startswith(("aarch64", "arm64")):
        return NEON
    if _has("avx512f") and _has("avx512vl") and _has("avx512dq"):
        return AVX512
    if _has("avx2") and _has("fma"):
        return AVX2
    return BASELINE


HOST = instruction_set()
ENGINE = f"{HOST.name}, numba {numba.__version__}, llvmlite {llvmlite.__version__}"
"""What the bits of a result depend on beside their specification and data."""
