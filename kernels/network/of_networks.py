"""The passes of eight networks side by side, one in each lane."""

from __future__ import annotations

from shoal.kernels.network.forward_backward import make_passes, make_put
from shoal.kernels.network.single_sample import make_single_passes
from shoal.kernels.simd.lanes import NETWORKS, narrow

_put = make_put(NETWORKS, narrow, NETWORKS.step)
dense_forward, columns, forward, backward, add_gradients, _ = make_passes(NETWORKS, _put)
forward_one, backward_and_gradients = make_single_passes(NETWORKS, _put)
