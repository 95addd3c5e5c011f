"""How the work on a network is cut: functions of its layout, its dtype and the data alone, as bits depend on it."""

from __future__ import annotations

import numpy as np

from shoal.kernels.compile.host import HOST
from shoal.kernels.network.tape import Layout
from shoal.kernels.simd.lanes import STRIPE

CACHE = 1 << 22
"""Bytes of activations and derivatives that stay in a core's second-level cache."""
LARGEST_TILE = 512
"""Samples in a tile at most."""
MAX_CHUNKS = 32
GRADIENTS = 1 << 18
"""Numbers in all partial gradients of a network."""
SLICE = 8192
"""Parameters that are worth a ticket of their own in an update."""


def stripe_samples(dtype: np.dtype) -> int:
    """Samples that rows have room for a whole number of."""
    return STRIPE * HOST.vector_bytes // dtype.itemsize


def tile_samples(layout: Layout, dtype: np.dtype) -> int:
    """Samples worked on at once, so that the activations of a tile and their derivatives stay in the cache."""
    rows = 2 * layout.n_units + layout.n_masks
    samples, stripe = CACHE // (rows * dtype.itemsize), stripe_samples(dtype)
    return stripe * max(1, min(LARGEST_TILE, max(LARGEST_TILE // 4, samples)) // stripe)


def max_chunks(layout: Layout) -> int:
    """Chunks of a pass at most: each has a gradient of its own to be kept and added, which large networks pay for."""
    return min(MAX_CHUNKS, max(4, GRADIENTS // layout.n_params)) // 2 * 2


def n_slices(layout: Layout) -> int:
    """Tickets of an update."""
    return min(MAX_CHUNKS, 1 + layout.n_params // SLICE)
