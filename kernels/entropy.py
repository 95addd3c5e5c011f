"""Random streams keyed by (root seed, purpose, replicate) and nothing else.

Replicate 7 therefore starts from the same numbers and sees the same shuffles whatever its learning rate, its number of
steps or the sweep it stands in, so that comparisons between cells are paired.
"""

from __future__ import annotations

import numpy as np


def seed_sequence(seed: int, purpose: str, replicate: int) -> np.random.SeedSequence:
    """The entropy of one stream; seeds and replicates are whole numbers of 0 or more."""
    return np.random.SeedSequence(seed, spawn_key=(*purpose.encode(), replicate))


def stream(seed: int, purpose: str, replicate: int) -> np.random.Generator:
    """NumPy generator (Philox, counter-based) of one stream."""
    return np.random.Generator(np.random.Philox(seed_sequence(seed, purpose, replicate)))
