"""How the work on a network is cut: functions of its layout, its dtype and the data alone, as bits depend on it."""

from __future__ import annotations

import numpy as np

from shoal.kernels.compile.host import HOST
from shoal.kernels.network.tape import Layout
from shoal.kernels.simd.lanes import STRIPE

CACHE = 1 << 22
"""Bytes of activations and derivatives that stay in a core's second-level cache, or mostly."""
LARGEST_TILE, SMALLEST_TILE = 512, 128
"""Samples in a tile at most, and at least."""
TILE_WORK = 2_750_000
"""Parameters times samples that are enough for a tile: of large networks the samples are cut into more chunks, for more
threads."""
MAX_CHUNKS = 32
GRADIENTS = 1 << 18
"""Numbers in all partial gradients of a network."""
SLICE = 8192
"""Parameters that are worth a ticket of their own in an update."""


def stripe_samples(dtype: np.dtype) -> int:
    """Samples that rows have room for a whole number of."""
    return STRIPE * HOST.vector_bytes // dtype.itemsize


def tile_samples(layout: Layout, dtype: np.dtype) -> int:
    """Samples worked on at once: so that the activations of a tile and their derivatives stay in the cache, and that
    what is paid once for a tile, adding up its gradient, counts little beside its products."""
    by_cache = CACHE // ((2 * layout.n_units + layout.n_masks) * dtype.itemsize)
    by_work = max(TILE_WORK // layout.n_params, LARGEST_TILE // 2)
    stripe = stripe_samples(dtype)
    return stripe * max(1, min(LARGEST_TILE, by_work, max(by_cache, SMALLEST_TILE)) // stripe)


def max_chunks(layout: Layout) -> int:
    """Chunks of a pass at most: each has a gradient of its own to be kept and added, which large networks pay for."""
    return min(MAX_CHUNKS, max(4, GRADIENTS // layout.n_params)) // 2 * 2


def n_slices(layout: Layout) -> int:
    """Tickets of an update."""
    return min(MAX_CHUNKS, 1 + layout.n_params // SLICE)
