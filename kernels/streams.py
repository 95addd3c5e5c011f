"""Streams (see entropy.py) of many networks at once: their keys, and what compiled code draws with them."""

from __future__ import annotations

import numpy as np

from shoal.kernels.compile.jit import jit
from shoal.kernels.entropy import seed_sequence
from shoal.kernels.simd.vector import small

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
MIX_2 = np.uint64(0x94D049BB133111EB)
POOL = 4
"""Words of 32 bits that a SeedSequence has."""
HASH_A, HASH_B, MIX = (0x43B0D7E5, 0x931E8875), (0x8B51F9DD, 0x58F38DED), (0xCA01F9DD, 0x4973F715)
"""Where its hashes of what goes in and of what comes out begin, what they are multiplied by; and the mix of both."""

FEW = 3
"""Streams up to which NumPy's own, one after another, are quicker than all at once, in calls and in compiled code."""


def keys(seed: int, purpose: str, replicates: np.ndarray, n: int = 1) -> np.ndarray:
    """The first n (up to 2) 64-bit numbers that the entropy of each replicate's stream gives, (n_replicates, n).

    `seed_sequence(...).generate_state(n, np.uint64)` of all replicates at once: what is common is hashed once,
    and a replicate below 2^32 is the last 32-bit word of what is hashed (NumPy's SeedSequence is M. E. O'Neill's
    seed_seq_fe).
    """
    if len(replicates) <= FEW or int(replicates.max()) >= 2**32:
        each = (seed_sequence(seed, purpose, int(one)).generate_state(n, np.uint64) for one in replicates)
        return np.array([*each], np.uint64).reshape(-1, n)
    common = np.random.SeedSequence(seed, spawn_key=tuple(purpose.encode()))
    n_words = max(POOL, -(-seed.bit_length() // 32)) + len(purpose)  # hashed before the replicate
    turns = POOL + POOL * (POOL - 1) + POOL * (n_words - POOL)
    factor, pool = HASH_A[0] * pow(HASH_A[1], turns, 2**32) % 2**32, []
    for before in common.pool.tolist():
        word, factor = _hashed(replicates.astype(np.uint32), factor, HASH_A[1])
        mixed = np.uint32(before * MIX[0] % 2**32) - np.uint32(MIX[1]) * word
        pool.append(mixed ^ (mixed >> np.uint32(16)))
    words, factor = np.empty((len(replicates), 2 * n), "<u4"), HASH_B[0]
    for k in range(2 * n):
        words[:, k], factor = _hashed(pool[k % POOL], factor, HASH_B[1])
    return words.view("<u8").astype(np.uint64)


def _hashed(words: np.ndarray, factor: int, multiplier: int) -> tuple[np.ndarray, int]:
    """32-bit words, hashed, and the factor for the next ones."""
    following = factor * multiplier % 2**32
    words = (words ^ np.uint32(factor)) * np.uint32(following)
    return words ^ (words >> np.uint32(16)), following


def shuffle_keys(seed: int, replicates: np.ndarray) -> np.ndarray:
    """The key (n,) from which `shuffle` makes the mini-batch order of every epoch of a replicate."""
    return keys(seed, "shuffle", replicates)[:, 0]


def dropout_keys(seed: int, replicates: np.ndarray) -> np.ndarray:
    """The key (n,) of a replicate's dropout masks; see network/dropout.py."""
    return keys(seed, "dropout", replicates)[:, 0]


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
