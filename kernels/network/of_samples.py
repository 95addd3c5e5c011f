"""The passes of one network, with its samples in the lanes."""

from __future__ import annotations

from shoal.kernels.network.forward_backward import make_passes, make_put
from shoal.kernels.simd.lanes import SAMPLES

_, _, forward, backward, add_gradients, weight_gradient = make_passes(
    SAMPLES, make_put(SAMPLES, SAMPLES.load, SAMPLES.step)
)
