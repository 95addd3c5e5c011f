"""Random streams keyed by (root seed, purpose, replicate) and nothing else.

Replicate 7 therefore starts from the same numbers and sees the same shuffles whatever its learning rate, its number of
steps or the sweep it stands in, so that comparisons between cells are paired.
"""

from __future__ import annotations

import numpy as np

from shoal.kernels.compile.jit import jit
from shoal.kernels.simd.vector import small

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
MIX_2 = np.uint64(0x94D049BB133111EB)


def seed_sequence(seed: int, purpose: str, replicate: int) -> np.random.SeedSequence:
    """The entropy of one stream; seeds and replicates are whole numbers of 0 or more."""
    return np.random.SeedSequence(seed, spawn_key=(*purpose.encode(), replicate))


def stream(seed: int, purpose: str, replicate: int) -> np.random.Generator:
    """NumPy generator (Philox, counter-based) of one stream."""
    return np.random.Generator(np.random.Philox(seed_sequence(seed, purpose, replicate)))


def shuffle_key(seed: int, replicate: int) -> np.uint64:
    """The key from which `shuffle` makes the mini-batch order of every epoch of a replicate."""
    return np.uint64(seed_sequence(seed, "shuffle", replicate).generate_state(1, np.uint64)[0])


def dropout_key(seed: int, replicate: int) -> np.uint64:
    """The key of a replicate's dropout masks; see network/dropout.py."""
    return np.uint64(seed_sequence(seed, "dropout", replicate).generate_state(1, np.uint64)[0])


def split_mix(key, counter):
    """64 random bits: draw `counter` of stream `key`, both 64-bit numbers without a sign, or vectors of them (`Bits`).

    SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014).
    """
    z = key + (counter + np.uint64(1)) * GOLDEN
    z = (z ^ (z >> np.uint64(30))) * MIX_1
    z = (z ^ (z >> np.uint64(27))) * MIX_2
    return z ^ (z >> np.uint64(31))


random_bits = jit(split_mix)


@jit
def shuffle(key, epoch, order, n):
    """Fill `order` (pointer to n int64) with the permutation of 0..n-1 that `epoch` (from 0) of stream `key` has.

    Fisher-Yates from the identity; draw j in [0, i] is the high 32 bits of the stream times i + 1, shifted by 32: its
    bias is below n / 2^32. Every epoch has counters of its own, so that any of them can be made without the others.
    """
    small()
    for i in range(n):
        order[i] = i
    for i in range(n - 1, 0, -1):
        bits = random_bits(np.uint64(key), np.uint64(epoch) * np.uint64(n) + np.uint64(i))
        j = np.int64(((bits >> np.uint64(32)) * np.uint64(i + 1)) >> np.uint64(32))
        order[i], order[j] = order[j], order[i]
