"""The sums of the lanes of many vectors, which the gradient of a weight needs for every one of them."""

from __future__ import annotations

from typing import Any

from kernels.instructions import Builder, shuffle


def lane_totals(builder: Builder, vectors: list[Any]) -> tuple[list[Any], dict[int, tuple[int, int]]]:
    """Sum the lanes of all vectors together, halving the number of vectors, not each vector alone, while there are two.

    Returns vectors that hold the sums, and where the sum of vector k is: (which of them, lane). Summing two vectors'
    halves into one costs as many instructions as summing one vector's.
    """
    lanes = vectors[0].type.count
    owners = [[k] * lanes for k in range(len(vectors))]
    half = lanes // 2
    while half:
        blocks = range(0, lanes, 2 * half)
        low = [block + lane for block in blocks for lane in range(half)]
        high = [lane + half for lane in low]

        def joined(a: list[int], b: list[int], half: int = half) -> list[int]:
            """Lanes of x and y by turns, half by half."""
            return [
                lane
                for at in range(0, len(a), half)
                for lane in a[at : at + half] + [lanes + n for n in b[at : at + half]]
            ]

        if len(vectors) % 2:
            vectors, owners = [*vectors, vectors[-1]], [*owners, owners[-1]]
        pairs = list(zip(vectors[::2], vectors[1::2], strict=True))
        owner_pairs = list(zip(owners[::2], owners[1::2], strict=True))
        vectors = [
            builder.fadd(shuffle(builder, x, y, joined(low, low)), shuffle(builder, x, y, joined(high, high)))
            for x, y in pairs
        ]
        owners = [[(x + y)[lane] for lane in joined(low, low)] for x, y in owner_pairs]
        half //= 2
    places: dict[int, tuple[int, int]] = {}
    for which, owner in enumerate(owners):
        for lane, k in enumerate(owner):
            places.setdefault(k, (which, lane))
    return vectors, places
