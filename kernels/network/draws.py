"""Random numbers of many replicates at once: bit for bit those that NumPy's generator draws from the stream of each."""

from __future__ import annotations

import math

import numpy as np
from numba.np.random._constants import fi_double, ki_double, wi_double, ziggurat_nor_inv_r, ziggurat_nor_r

from shoal.kernels import streams
from shoal.kernels.compile.jit import unfused
from shoal.kernels.compile.linked import Doubles, Integers, linked
from shoal.kernels.compile.warmup import load_all
from shoal.kernels.simd.vector import small

M_0, M_1 = np.uint64(0xD2E7470EE14C6C93), np.uint64(0xCA5A826395121157)
W_0, W_1 = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBB67AE8584CAA73B)
ROUNDS = 10
LOW, HALF = np.uint64(0xFFFFFFFF), np.uint64(32)
TO_UNIT = 1.0 / 9007199254740992.0
R, INVERSE_R = ziggurat_nor_r, ziggurat_nor_inv_r
DOUBLE = np.dtype(np.float64)


class Draws:
    """The generators of many replicates, (n,), as one: what it draws has the replicates in front of its shape.

    It has of NumPy's Generator what laws of initial parameters need (laws.py). Replicates (n,) are whole numbers.
    """

    def __init__(self, seed: int, purpose: str, replicates: np.ndarray) -> None:
        self.n = len(replicates)
        self._keys = np.ascontiguousarray(streams.keys(seed, purpose, replicates, 2)).view(np.int64)
        self._places = np.zeros(self.n, np.int64)
        load_all([(units, DOUBLE), (normals, DOUBLE)])

    def uniform(self, low: float, high: float, shape: int | tuple[int, ...]) -> np.ndarray:
        """Uniform on [low, high), (n, *shape)."""
        drawn = np.empty((self.n, *np.atleast_1d(shape)))
        units(DOUBLE, self._keys, self._places, self.n, int(np.prod(shape)), np.empty(4, np.int64), drawn)
        drawn *= high - low
        drawn += low
        return drawn

    def normal(self, mean: float, deviation: float, shape: int | tuple[int, ...]) -> np.ndarray:
        """Normal of this mean and deviation, (n, *shape)."""
        drawn = np.empty((self.n, *np.atleast_1d(shape)))
        normals(DOUBLE, self._keys, self._places, self.n, int(np.prod(shape)), np.empty(4, np.int64),
                ki_double.view(np.int64), wi_double, fi_double, drawn)  # fmt: skip
        drawn *= deviation
        drawn += mean
        return drawn


@unfused
def high_product(a, b):
    """The high 64 bits of a product of 128."""
    small()
    low, cross, other = (a & LOW) * (b & LOW), (a >> HALF) * (b & LOW), (a & LOW) * (b >> HALF)
    middle = (low >> HALF) + (cross & LOW) + other
    return (a >> HALF) * (b >> HALF) + (cross >> HALF) + (middle >> HALF)


@unfused
def next_bits(keys, place, block):
    """64 random bits: number `place` of the stream with these two keys; `block` has the four that it is one of.

    Philox 4x64-10 (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011), of counters
    from 1 on.
    """
    small()
    if place % 4 == 0:
        fill_block(keys, place, block)
    return np.uint64(block[place % 4])


@unfused
def fill_block(keys, place, block):
    """The four numbers of the stream that `place` is one of."""
    small()
    k_0, k_1 = np.uint64(keys[0]), np.uint64(keys[1])
    a, b, c, d = np.uint64(place // 4 + 1), np.uint64(0), np.uint64(0), np.uint64(0)
    for _ in range(ROUNDS):
        high, other = high_product(M_0, a), high_product(M_1, c)
        a, b, c, d = other ^ b ^ k_0, M_1 * c, high ^ d ^ k_1, M_0 * a
        k_0, k_1 = k_0 + W_0, k_1 + W_1
    block[0], block[1], block[2], block[3] = np.int64(a), np.int64(b), np.int64(c), np.int64(d)


@unfused
def unit(bits):
    """A number on [0, 1) of 53 bits."""
    return np.float64(bits >> np.uint64(11)) * TO_UNIT


@unfused
def normal(keys, place, block, ki, wi, fi):
    """A standard normal number from `place` on, and the place behind what it took.

    By the ziggurat of 256 layers (Marsaglia and Tsang, Journal of Statistical Software 5, 2000) as NumPy has it, whose
    tables Numba has too.
    """
    small()
    while True:
        bits = next_bits(keys, place, block)
        place += 1
        layer, is_negative = np.int64(bits & np.uint64(0xFF)), (bits >> np.uint64(8)) & np.uint64(1)
        height = np.int64((bits >> np.uint64(9)) & np.uint64(0x000FFFFFFFFFFFFF))
        x = np.float64(height) * wi[layer]
        if is_negative:
            x = -x
        if height < ki[layer]:
            return x, place
        if layer == 0:
            return tail(keys, place, block, (height >> 8) & 1)
        u = unit(next_bits(keys, place, block))
        place += 1
        if (fi[layer - 1] - fi[layer]) * u + fi[layer] < math.exp(-0.5 * x * x):
            return x, place


@unfused
def tail(keys, place, block, is_negative):
    """One beyond the layers."""
    small()
    while True:
        x = -INVERSE_R * math.log1p(-unit(next_bits(keys, place, block)))
        y = -math.log1p(-unit(next_bits(keys, place + 1, block)))
        place += 2
        if y + y > x * x:
            return -(R + x) if is_negative else R + x, place


@linked("draws", entry=True)
def units(keys: Integers, places: Integers, n: int, count: int, block: Integers, drawn: Doubles):
    """Draw `count` numbers on [0, 1) from each of n streams."""
    small()
    for i in range(n):
        place = places[i]
        fill_block(keys + 2 * i, place, block)
        for k in range(count):
            drawn[i * count + k] = unit(next_bits(keys + 2 * i, place + k, block))
        places[i] = place + count


@linked("draws", entry=True)
def normals(
    keys: Integers, places: Integers, n: int, count: int, block: Integers, ki: Integers, wi: Doubles, fi: Doubles,
    drawn: Doubles,
):  # fmt: skip
    """Draw `count` standard normal numbers from each of n streams."""
    small()
    for i in range(n):
        place = places[i]
        fill_block(keys + 2 * i, place, block)
        for k in range(count):
            drawn[i * count + k], place = normal(keys + 2 * i, place, block, ki, wi, fi)
        places[i] = place
