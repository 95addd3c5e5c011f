"""What to train: the specification of one network, what it starts from, and the steps whose cost it records."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from shoal.kernels.network import initialise
from shoal.kernels.network.architecture import Architecture
from shoal.kernels.network.tape import layout_of

INITIALISERS = ("assignment", "assignment-stream")
OPTIMIZERS = ("gd", "adam", "ridge")


@dataclass(frozen=True, slots=True)
class NetworkSpec:
    """Everything that determines a network's result except the data, the root seed and the dtype.

    `batch_size` None is full batch; a ridge readout (`optimizer` "ridge") has `alpha` and no rate, batch or steps.
    """

    architecture: Architecture
    initialiser: str
    replicate: int
    optimizer: str = "gd"
    learning_rate: float | None = None
    batch_size: int | None = None
    steps: int | None = None
    alpha: float | None = None

    def check(self, n_samples: int, n_features: int, n_outputs: int) -> None:
        """Raise ValueError where the network cannot be trained on x (n_samples, n_features), y (n_samples, n_outputs).

        TypeError where its architecture is none.
        """
        layout_of(self.architecture, n_features)
        if self.architecture.n_outputs != n_outputs:
            found = f"'{self.architecture}' ends with {self.architecture.n_outputs} outputs"
            raise ValueError(f"{found}; y has {n_outputs}")
        if self.optimizer not in OPTIMIZERS or self.initialiser not in INITIALISERS:
            raise ValueError(f"unknown optimizer or initialiser in {self}; allowed: {OPTIMIZERS}, {INITIALISERS}")
        ridge = self.optimizer == "ridge"
        name, rate = ("alpha", self.alpha) if ridge else ("learning_rate", self.learning_rate)
        if rate is None or (self.steps is None and not ridge):
            raise ValueError(f"{self} lacks what its optimizer needs (gd, adam: learning_rate, steps; ridge: alpha)")
        if not np.isfinite(rate):
            raise ValueError(f"{name} {rate} is not a finite number")
        if self.steps is not None and self.steps < 1:
            raise ValueError(f"steps {self.steps} is not 1 or more")
        if self.batch_size is not None and not 1 <= self.batch_size <= n_samples:
            allowed = f"between 1 and the {n_samples} samples; None is full batch"
            raise ValueError(f"batch_size {self.batch_size} is not {allowed}")


@lru_cache(maxsize=256)
def recorded_steps(steps: int, batch_size: int | None) -> np.ndarray:
    """Steps whose cost is recorded: all of 0..steps for full batch, else 0 and about 50 log-spaced up to `steps`."""
    if batch_size is None:
        recorded = np.arange(steps + 1)
    else:
        recorded = np.unique(np.concatenate([[0], np.rint(np.geomspace(1, steps, 50))]).astype(np.int64))
    recorded.flags.writeable = False  # one array serves all networks
    return recorded


def initial_params(spec: NetworkSpec, n_features: int, n_samples: int, seed: int) -> np.ndarray:
    """The flat float64 row (n_params,) that training starts from.

    Raises ValueError where the assignment's own stream is asked for a network that is not in it.
    """
    layout = layout_of(spec.architecture, n_features)
    if spec.initialiser == "assignment-stream" and spec.replicate == 0:
        return initialise.assignment_stream(layout, seed, _assignment_activation(spec, n_features), n_samples)
    return initialise.assignment(layout, seed, spec.replicate)


def _assignment_activation(spec: NetworkSpec, n_features: int) -> str:
    n_inputs, *hidden_sizes, n_outputs = initialise.ASSIGNMENT_SIZES
    activation = str(spec.architecture).split(" > ")[1:2]
    own = [str(Architecture.plain(hidden_sizes, name, n_outputs)) for name in activation]
    if n_features != n_inputs or str(spec.architecture) not in own:
        raise ValueError(f"'{spec.architecture}' is not a 1-100-100-1 network, which assignment-stream needs")
    return activation[0]
