"""The sums of the lanes of many vectors, which the gradient of a weight needs for every one of them."""

from __future__ import annotations

from typing import Any

from shoal.kernels.simd.instructions import Builder, shuffle


def lane_totals(builder: Builder, vectors: list[Any]) -> tuple[list[Any], dict[int, tuple[int, int]]]:
    """Sum the lanes of all vectors together, halving the number of vectors, not each vector alone, while there are two.

    Returns vectors that hold the sums, and where the sum of vector k is: (which of them, lane). Of a pair x, y, blocks
    of lanes by turns, [x0 y1] + [x1 y0] holds x's sum in the first block and y's in the second; only the crossed one
    has to move lanes.
    """
    lanes = vectors[0].type.count
    owners = [[k] * lanes for k in range(len(vectors))]
    half = lanes // 2
    while half:
        if len(vectors) % 2:  # the last one pairs with itself: both halves of its sums are the same then
            vectors, owners = [*vectors, vectors[-1]], [*owners, owners[-1]]
        low = [lane & half == 0 for lane in range(lanes)]
        straight = [lane if low[lane] else lanes + lane for lane in range(lanes)]
        crossed = [lane + half if low[lane] else lanes + lane - half for lane in range(lanes)]
        pairs = list(zip(vectors[::2], vectors[1::2], strict=True))
        vectors = [builder.fadd(shuffle(builder, x, y, straight), shuffle(builder, x, y, crossed)) for x, y in pairs]
        owner_pairs = zip(owners[::2], owners[1::2], strict=True)
        owners = [[(x + y)[lane] for lane in straight] for x, y in owner_pairs]
        half //= 2
    places: dict[int, tuple[int, int]] = {}
    for which, owner in enumerate(owners):
        for lane, k in enumerate(owner):
            places.setdefault(k, (which, lane))
    return vectors, places
