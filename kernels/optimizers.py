"""Parameter updates over a flat row."""

from __future__ import annotations

from kernels._jit import jit


@jit
def gradient_descent(params, grads, learning_rate):
    """params -= learning_rate * grads, both (n_params,)."""
    rate = params.dtype.type(learning_rate)
    for i in range(params.size):
        params[i] -= rate * grads[i]
