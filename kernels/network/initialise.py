"""Initial parameters: a law (laws.py) from each replicate's own stream, or the assignment's from its legacy stream.

They are drawn layer by layer in order, W before b.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from shoal.kernels import streams
from shoal.kernels.entropy import stream
from shoal.kernels.network.draws import Draws
from shoal.kernels.network.laws import ASSIGNMENT_POSITIONS, LAWS, Law, Layer
from shoal.kernels.network.tape import Layout


class Start(NamedTuple):
    """What parameters are drawn by: a law, one of BIASES or None for its own, and numbers that are not its defaults."""

    law: Law = LAWS["assignment"]
    bias: str | None = None
    numbers: tuple[tuple[str, float], ...] = ()


ASSIGNMENT = Start()


def draw(
    layout: Layout,
    generator: Draws | np.random.Generator | np.random.RandomState,
    start: Start = ASSIGNMENT,
    n: tuple[int, ...] = (),
) -> np.ndarray:
    """Draw flat float64 parameters (*n, n_params) from a `generator` whose numbers have the shape n in front."""
    rows, numbers = np.empty((*n, layout.n_params)), dict(start.numbers)
    sources = layout.dense["source"].tolist()
    last = len(sources) - 1
    for k, ((W, b), source) in enumerate(zip(layout.weights(rows), sources, strict=True)):
        fan_out, fan_in = W.shape[-2:]
        layer = Layer(fan_in, fan_out, is_first=source == 0, is_last=k == last)
        W[:], b[:] = start.law.draw(generator, layer, start.bias, numbers)
    return rows


def replicates_own(layout: Layout, seed: int, replicates: np.ndarray, start: Start = ASSIGNMENT) -> np.ndarray:
    """Drawn from the stream of each of the replicates (n,), flat float64 rows (n, n_params)."""
    if len(replicates) <= streams.FEW:
        return np.array([draw(layout, stream(seed, "init", n), start) for n in replicates.tolist()])
    return draw(layout, Draws(seed, "init", replicates), start, replicates.shape)


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
