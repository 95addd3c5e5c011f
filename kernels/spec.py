"""What to train: the specification of one network, what it starts from, and the steps whose cost it records."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from shoal.kernels.network import initialise
from shoal.kernels.network.architecture import Architecture
from shoal.kernels.network.losses import LOSSES, loss_of
from shoal.kernels.network.tape import layout_of
from shoal.kernels.training.methods import METHODS

KEPT = ("last", "best")
INITIALISERS = ("assignment", "assignment-stream")


@dataclass(frozen=True, slots=True)
class NetworkSpec:
    """Everything that determines a network's result except the data, the root seed and the dtype.

    `optimizer` is one of METHODS, which says what it needs of the keys behind it. `batch_size` None is full batch.
    `hypers` are pairs (name, value) of the optimizer's own numbers, where they are not the default. `loss` is one of
    LOSSES, and `loss_hypers` are its own numbers.

    `keep` is "last", or "best": the parameters of the lowest validation cost. `patience` (None: never) is the number of
    validations without an improvement of more than `min_delta` that stop the network, and keeps the best too. Either
    asks for validation costs, at the end of every epoch, under full batch every `validate_every` steps (stopping.py).
    """

    architecture: Architecture
    initialiser: str
    replicate: int
    optimizer: str = "gd"
    learning_rate: float | None = None
    batch_size: int | None = None
    steps: int | None = None
    alpha: float | None = None
    hypers: tuple[tuple[str, float], ...] = ()
    loss: str = "squared"
    loss_hypers: tuple[tuple[str, float], ...] = ()
    keep: str = "last"
    patience: int | None = None
    min_delta: float = 0.0
    validate_every: int = 10

    @property
    def is_validated(self) -> bool:
        """Whether it takes validation costs."""
        return self.patience is not None or self.keep == "best"

    def without_steps(self) -> NetworkSpec:
        """What it has in common with those that it is trained once with, to the largest of their steps.

        They differ in steps alone. What the last step is validated for does not end there for a longer run.
        """
        return self if self.is_validated else replace(self, steps=None)

    def check(self, n_samples: int, n_features: int, n_outputs: int) -> None:
        """Raise ValueError where the network cannot be trained on x (n_samples, n_features), y (n_samples, n_outputs).

        TypeError where its architecture is none.
        """
        layout_of(self.architecture, n_features)
        if self.architecture.n_outputs != n_outputs:
            found = f"'{self.architecture}' ends with {self.architecture.n_outputs} outputs"
            raise ValueError(f"{found}; y has {n_outputs}")
        if self.optimizer not in METHODS or self.initialiser not in INITIALISERS:
            raise ValueError(f"unknown optimizer or initialiser in {self}; allowed: {[*METHODS]}, {INITIALISERS}")
        method = METHODS[self.optimizer]
        if lacking := [key for key in method.needs if getattr(self, key) is None]:
            raise ValueError(f"{self} lacks what its optimizer needs: {', '.join(lacking)}")
        numbers = [(key, getattr(self, key)) for key in method.needs]
        for name, value in (*numbers, *self.hypers):
            if not np.isfinite(value):
                raise ValueError(f"{name} {value} is not a finite number")
        if unknown := [name for name, _ in self.hypers if name not in method.hypers]:
            raise ValueError(f"{self.optimizer} has no {', '.join(unknown)}; allowed: {', '.join(method.hypers)}")
        loss_of(self.loss).hypers_of(self.loss_hypers)
        if self.loss not in (method.losses or LOSSES):
            raise ValueError(f"{self.optimizer} has no loss '{self.loss}'; allowed: {', '.join(method.losses)}")
        _check_stopping(self)
        if self.steps is not None and self.steps < 1:
            raise ValueError(f"steps {self.steps} is not 1 or more")
        if self.batch_size is not None and not 1 <= self.batch_size <= n_samples:
            allowed = f"between 1 and the {n_samples} samples; None is full batch"
            raise ValueError(f"batch_size {self.batch_size} is not {allowed}")


def _check_stopping(spec: NetworkSpec) -> None:
    """Raise ValueError where stopping is not one that there is."""
    if spec.keep not in KEPT:
        raise ValueError(f"keep '{spec.keep}' is none; allowed: {', '.join(KEPT)}")
    if spec.is_validated and spec.steps is None:
        raise ValueError(f"{spec.optimizer} makes no steps: it has no patience, and keeps the last parameters")
    if spec.patience is not None and not (isinstance(spec.patience, int) and spec.patience >= 1):
        raise ValueError(f"patience {spec.patience} is not a whole number of 1 or more; None is never to stop")
    if not 0 <= spec.min_delta < np.inf:
        raise ValueError(f"min_delta {spec.min_delta} is not a finite number of 0 or more")
    if not (isinstance(spec.validate_every, int) and spec.validate_every >= 1):
        raise ValueError(f"validate_every {spec.validate_every} is not a whole number of 1 or more")


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
