"""Mixed fleets of networks, small data for them, and a result as something to be compared bit for bit.

Together the fleets go every way a network can be trained: networks in the lanes (mini-batches up to 32, and full batch
of few samples), samples in the lanes (one chunk of samples and several, one slice of parameters and several), ridge.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from shoal.kernels import ensemble
from shoal.kernels.ensemble import NetworkSpec, Trained
from shoal.kernels.network.architecture import Architecture
from shoal.kernels.training.optimizers import OPTIMIZERS
from tests.naive import Array
from tests.problems import SEED

N_SAMPLES, FEW, MANY = 150, 21, 1100
NETWORKS = (
    "dense 2",
    "dense 7 > relu > dense 2",
    "dense 20 > tanh > dense 33 > tanh > dense 2",
    "dense 9 > sigmoid > dense 4 > linear > dense 5 > relu > dense 2",
    "(dense 3 | relu > dense 3 | relu > relu > dense 3) > dense 2",
    "dense 6 > tanh > dropout 0.3 > (skip | dense 4 > relu > dropout 0.5 > dense 6) > (relu & dense 3) > dense 2",
)
WIDE = "dense 128 > tanh > dropout 0.2 > dense 130 > relu > dense 2"
DTYPES = ("float64", "float32")
RATES = (1e-3, 0.02, 2.0, 1e30)
"""Descent diverges at the last two, after some steps and at once."""

Bits = tuple[object, ...]
Fleets = dict[int, list[NetworkSpec]]


def samples(n: int) -> tuple[Array, Array]:
    """x (n, 2) and y (n, 2)."""
    generator = np.random.default_rng([5, n])
    return generator.uniform(-2.0, 2.0, (n, 2)), generator.normal(0.0, 1.0, (n, 2))


DATA = {n: samples(n) for n in (FEW, N_SAMPLES, MANY)}
X, Y = DATA[N_SAMPLES]


def spec(text: str = NETWORKS[1], replicate: int = 3, **keys: Any) -> NetworkSpec:
    """A network of gradient descent, or what the keys say."""
    keys = {"learning_rate": 0.01, "steps": 20} | keys
    return NetworkSpec(Architecture.parse(text), "assignment", replicate, **keys)


def fleet(texts: Sequence[str], batch_sizes: Sequence[int | None], steps: int) -> list[NetworkSpec]:
    """Every combination with both optimizers, and with all rates side by side in the lanes."""
    return [
        spec(text, replicate, optimizer=optimizer, learning_rate=rate, batch_size=batch_size, steps=steps)
        for text in texts
        for optimizer in ("gd", "adam")
        for batch_size in batch_sizes
        for replicate, rate in enumerate(RATES)
    ]


BESIDE: tuple[dict[str, Any], ...] = (
    {"l2": 0.1, "schedule": "cosine"},
    {"l2": 0.01, "schedule": "cosine"},
    {"clip_norm": 0.5, "schedule": "exponential", "hypers": (("gamma", 0.9),)},
    {"clip_norm": 0.1, "schedule": "step", "hypers": (("every", 2),)},
    {"weight_decay": 0.3, "warmup": 3},
    {"weight_decay": 0.2, "warmup": 2, "schedule": "cosine"},
    {"l2": 0.1, "clip_norm": 0.3, "weight_decay": 0.1},
    {"l2": 0.2, "clip_norm": 0.2, "weight_decay": 0.2},
    {"l2": 0.2, "clip_norm": 0.2, "weight_decay": 0.2, "learning_rate": 1e30},
)
"""What is done beside an optimizer's step, and schedules; some of them stand side by side in the lanes."""


def regularised(texts: Sequence[str], batch_sizes: Sequence[int | None], steps: int, nth: int = 1) -> list[NetworkSpec]:
    """Every optimizer with all of these, or every nth; of adam and adamw, which may agree, from other parameters."""
    return [
        spec(text, n + k, optimizer=optimizer, batch_size=batch_size, steps=steps, **keys)
        for text in texts
        for n, optimizer in enumerate(OPTIMIZERS)
        for batch_size in batch_sizes
        for k, keys in enumerate(BESIDE)
        if (n + k) % nth == 0
    ]


def rates_of_replicates(texts: Sequence[str], batch_sizes: Sequence[int | None], steps: int) -> list[NetworkSpec]:
    """So many learning rates of each replicate that lanes are filled by it: they share its mini-batches."""
    return [
        spec(text, replicate, optimizer="adam", learning_rate=rate, batch_size=batch_size, steps=steps)
        for text in texts
        for batch_size in batch_sizes
        for rate in (*np.geomspace(1e-4, 0.1, 9), 1e30)
        for replicate in (4, 2, 9)
    ]


def readouts(texts: Sequence[str]) -> list[NetworkSpec]:
    """A ridge readout of each network."""
    return [spec(text, optimizer="ridge", alpha=0.1, learning_rate=None, steps=None) for text in texts]


FLEETS: Fleets = {
    FEW: fleet(NETWORKS[1:3], (None, 1, 7), 12) + readouts(NETWORKS[:2]),
    N_SAMPLES: fleet(NETWORKS, (None, 1, 2, 7), 60)
    + fleet(NETWORKS[2:4], (10, 32, 33, 64), 25)
    + regularised(NETWORKS[1:2], (None, 1, 7, 64), 25)
    + readouts(NETWORKS),
    MANY: fleet((NETWORKS[2], WIDE), (None, 10, 33, 700), 6)
    + regularised((WIDE,), (None,), 6, nth=3)
    + readouts((NETWORKS[2], WIDE)),
}
"""By the number of samples."""
FLEET = FLEETS[N_SAMPLES]


def train(specs: list[NetworkSpec], dtype: str = "float64", n: int = N_SAMPLES, **keys: Any) -> list[Trained]:
    """By the door, on n samples."""
    x, y = DATA[n]
    return ensemble.train(specs, x, y, seed=SEED, dtype=dtype, **keys)


def bits(run: Trained) -> Bits:
    """All that a result consists of, to be compared bit for bit; NaN equals itself."""
    curves = [run.recorded_steps, run.costs, run.validated_steps, run.validation_costs]
    ends = run.stopped_step, run.diverged_step
    return str(run.params.dtype), run.params.tobytes(), *(None if v is None else v.tobytes() for v in curves), *ends


def all_bits(fleets: Fleets, **keys: Any) -> dict[tuple[int, str], list[Bits]]:
    """The bits of every fleet in both precisions."""
    return {
        (n, dtype): [bits(run) for run in train(specs, dtype, n, **keys)]
        for n, specs in fleets.items()
        for dtype in DTYPES
    }


def fingerprint(found: object) -> str:
    """A hash of such bits."""
    return hashlib.sha256(repr(found).encode()).hexdigest()
