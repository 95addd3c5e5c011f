"""A mixed fleet of networks, small data for it, and a result as something to be compared bit for bit."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from kernels import ensemble
from kernels.architecture import Architecture
from kernels.ensemble import NetworkSpec, Trained
from tests.problems import SEED

N_SAMPLES = 150
DATA = np.random.default_rng(5)
X, Y = DATA.uniform(-2.0, 2.0, (N_SAMPLES, 2)), DATA.normal(0.0, 1.0, (N_SAMPLES, 2))
NETWORKS = (
    "dense 2",
    "dense 7 > relu > dense 2",
    "dense 20 > tanh > dense 33 > tanh > dense 2",
    "dense 9 > sigmoid > dense 4 > linear > dense 5 > relu > dense 2",
    "(dense 3 | relu > dense 3 | relu > relu > dense 3) > dense 2",
)
DTYPES = ("float64", "float32")


Bits = tuple[object, ...]


def spec(text: str = NETWORKS[1], replicate: int = 3, **keys: Any) -> NetworkSpec:
    """A network of gradient descent, or what the keys say."""
    keys = {"learning_rate": 0.01, "steps": 20} | keys
    return NetworkSpec(Architecture.parse(text), "assignment", replicate, **keys)


RATES = (1e-3, 0.02, 2.0, 1e30)
"""The last two diverge, after some steps and at once."""
FLEET = [
    spec(text, replicate, learning_rate=rate, batch_size=batch_size, steps=steps)
    for text in NETWORKS
    for replicate, (rate, batch_size, steps) in enumerate(
        [
            (RATES[0], None, 30),
            (RATES[1], 1, 40),
            (RATES[1], 64, 30),
            (RATES[2], None, 60),
            (RATES[2], 7, 60),
            (RATES[3], 1, 9),
        ]
    )
] + [spec(text, optimizer="ridge", alpha=0.1, learning_rate=None, steps=None) for text in NETWORKS]


def train(specs: list[NetworkSpec], dtype: str = "float64", **keys: Any) -> list[Trained]:
    """By the door, on the data above."""
    return ensemble.train(specs, X, Y, seed=SEED, dtype=dtype, **keys)


def bits(run: Trained) -> Bits:
    """All that a result consists of, to be compared bit for bit; NaN equals itself."""
    diverged = run.diverged_step
    return str(run.params.dtype), run.params.tobytes(), run.recorded_steps.tobytes(), run.costs.tobytes(), diverged


def fingerprint() -> str:
    """A hash of all bits of the fleet in both precisions."""
    runs = [bits(run) for dtype in DTYPES for run in train(FLEET, dtype)]
    return hashlib.sha256(repr(runs).encode()).hexdigest()
