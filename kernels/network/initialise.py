"""Initial parameters: the assignment's law from a replicate's own stream, or from the assignment's legacy stream.

    W ~ normal(0, sqrt(6 / (fan_in + fan_out))), shape (fan_out, fan_in);   b ~ uniform(-1, 1), shape (fan_out,)

layer by layer in order, W before b.
"""

from __future__ import annotations

import numpy as np

from shoal.kernels.network.tape import Layout
from shoal.kernels.streams import stream

ASSIGNMENT_SIZES = (1, 100, 100, 1)
ASSIGNMENT_POSITIONS = ("relu", "linear", "tanh")
"""The order in which the assignment draws its networks from the one legacy stream, after x."""


def draw(layout: Layout, generator: np.random.Generator | np.random.RandomState) -> np.ndarray:
    """Draw a flat float64 parameter row (n_params,) from `generator`."""
    row = np.empty(layout.n_params)
    for W, b in layout.weights(row):
        fan_out, fan_in = W.shape
        W[:] = generator.normal(0.0, np.sqrt(6 / (fan_in + fan_out)), (fan_out, fan_in))
        b[:] = generator.uniform(-1.0, 1.0, fan_out)
    return row


def assignment(layout: Layout, seed: int, replicate: int) -> np.ndarray:
    """The assignment's law from the replicate's own stream, flat float64 row (n_params,)."""
    return draw(layout, stream(seed, "init", replicate))


def assignment_stream(layout: Layout, seed: int, activation: str, n_samples: int) -> np.ndarray:
    """Replicate 0 of the assignment: legacy generator, `n_samples` values of x first, then the networks in fixed order.

    Raises ValueError for an activation that has no position in the stream.
    """
    if activation not in ASSIGNMENT_POSITIONS:
        raise ValueError(f"'{activation}' has no place in the assignment's stream ({', '.join(ASSIGNMENT_POSITIONS)})")
    generator = np.random.RandomState(seed)
    generator.uniform(size=n_samples)
    for _ in ASSIGNMENT_POSITIONS[: ASSIGNMENT_POSITIONS.index(activation)]:
        draw(layout, generator)
    return draw(layout, generator)
