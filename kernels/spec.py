"""What to train: the specification of one network, what it starts from, and the steps whose cost it records."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from shoal.kernels.network import initialise
from shoal.kernels.network.architecture import ACTIVATIONS, Architecture
from shoal.kernels.network.laws import ASSIGNMENT_SIZES, BIASES, INITIALISERS, STREAM, law_of
from shoal.kernels.network.losses import LOSSES, loss_of
from shoal.kernels.network.tape import layout_of
from shoal.kernels.training.methods import METHODS, Method
from shoal.kernels.training.regularise import KINDS, Regularised
from shoal.kernels.training.schedules import SCHEDULES

KEPT = ("last", "best")


@dataclass(frozen=True, slots=True)
class NetworkSpec:
    """Everything that determines a network's result except the data, the root seed and the dtype.

    `optimizer` is one of METHODS, which says what it needs of the keys behind it. `batch_size` None is full batch.
    `hypers` are pairs (name, value) of the optimizer's and the schedule's own numbers; one that is not given is the
    default. `initialiser` is one of INITIALISERS, `bias` one of BIASES or None for its own, `init_hypers` its own
    numbers as `hypers` are.
    `schedule` is one of SCHEDULES, behind `warmup` epochs (under full batch: steps) of a linear rise (schedules.py).

    `l2` (0: none), `clip_norm` (None: not clipped) and `weight_decay` (0: none; None: the optimizer's, which is 0 for
    all but adamw) are what is done beside an optimizer's step (regularise.py). The penalty of l2 is part of the cost
    that is differentiated, not of the cost that is recorded.

    `loss` is one of LOSSES, and `loss_hypers` are its own numbers. `keep` is "last", or "best": the parameters of the
    lowest validation cost. `patience` (None: never) is the number of validations without an improvement of more than
    `min_delta` that stop the network, and keeps the best too. Either asks for validation costs, at the end of every
    epoch, under full batch every `validate_every` steps (stopping.py).
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
    bias: str | None = None
    init_hypers: tuple[tuple[str, float], ...] = ()
    schedule: str = "constant"
    warmup: int = 0
    l2: float = 0.0
    clip_norm: float | None = None
    weight_decay: float | None = None
    loss: str = "squared"
    loss_hypers: tuple[tuple[str, float], ...] = ()
    keep: str = "last"
    patience: int | None = None
    min_delta: float = 0.0
    validate_every: int = 10

    @property
    def decay(self) -> float:
        """The weight decay, by default the optimizer's."""
        own = METHODS[self.optimizer].weight_decay or 0.0
        return own if self.weight_decay is None else self.weight_decay

    @property
    def regularised(self) -> Regularised:
        """What is done beside the optimizer's step."""
        return KINDS[self.l2 > 0, self.clip_norm is not None, self.decay > 0]

    @property
    def is_validated(self) -> bool:
        """Whether it takes validation costs."""
        return self.patience is not None or self.keep == "best"

    def without_steps(self) -> NetworkSpec:
        """What it has in common with those that it is trained once with, to the largest of their steps.

        They differ in steps alone, and have one learning rate step by step: a schedule may depend on the last of them.
        What the last step is validated for does not end there for a longer run.
        """
        depends_on_end = SCHEDULES[self.schedule].depends_on_end or self.is_validated
        return self if depends_on_end else replace(self, steps=None)

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
        self._check_start()
        method = METHODS[self.optimizer]
        if lacking := [key for key in method.needs if getattr(self, key) is None]:
            raise ValueError(f"{self} lacks what its optimizer needs: {', '.join(lacking)}")
        if self.schedule not in SCHEDULES:
            raise ValueError(f"schedule '{self.schedule}' is none; allowed: {', '.join(SCHEDULES)}")
        numbers = [(key, getattr(self, key)) for key in method.needs]
        numbers += [("l2", self.l2), ("clip_norm", self.clip_norm or 0.0), ("weight_decay", self.decay)]
        for name, value in (*numbers, *self.hypers):
            if not np.isfinite(value):
                raise ValueError(f"{name} {value} is not a finite number")
        hypers = [*method.hypers, *SCHEDULES[self.schedule].hypers]
        if unknown := [name for name, _ in self.hypers if name not in hypers]:
            whose = [self.optimizer, *[self.schedule] * (self.schedule != "constant")]
            raise ValueError(f"{' and '.join(whose)} has no {', '.join(unknown)}; allowed: {', '.join(hypers)}")
        _check_descent(self, method)
        loss_of(self.loss).hypers_of(self.loss_hypers)
        if self.loss not in (method.losses or LOSSES):
            raise ValueError(f"{self.optimizer} has no loss '{self.loss}'; allowed: {', '.join(method.losses)}")
        _check_stopping(self)
        if self.steps is not None and self.steps < 1:
            raise ValueError(f"steps {self.steps} is not 1 or more")
        if self.batch_size is not None and not 1 <= self.batch_size <= n_samples:
            allowed = f"between 1 and the {n_samples} samples; None is full batch"
            raise ValueError(f"batch_size {self.batch_size} is not {allowed}")

    def _check_start(self) -> None:
        law = law_of(self.initialiser)
        if self.bias is not None and not (self.bias in BIASES and law.allows_biases):
            allowed = ", ".join(BIASES) if law.allows_biases else f"none, as {self.initialiser} has its own"
            raise ValueError(f"bias '{self.bias}' is not one of those allowed: {allowed}")
        for name, value in self.init_hypers:
            if name not in law.numbers:
                raise ValueError(f"{self.initialiser} has no {name}; allowed: {', '.join(law.numbers) or 'nothing'}")
            if not (np.isfinite(value) and value > 0):
                raise ValueError(f"{name} {value} is not a finite number above 0")


def _check_descent(spec: NetworkSpec, method: Method) -> None:
    """Raise ValueError where what is done along the gradient, step by step, cannot be done."""
    asked = spec.schedule != "constant" or spec.warmup or any(spec.regularised)
    if method.weight_decay is None and asked:
        raise ValueError(f"{spec.optimizer} makes no steps: it has no schedule, warmup, l2, clip_norm or weight_decay")
    schedule = SCHEDULES[spec.schedule]
    numbers = dict(zip(schedule.hypers, schedule.hypers_of(spec.hypers), strict=True))
    if lacking := [name for name, value in numbers.items() if value is None]:
        raise ValueError(f"{spec} lacks what its schedule needs: {', '.join(lacking)}")
    if not (isinstance(spec.warmup, int) and spec.warmup >= 0):
        raise ValueError(f"warmup {spec.warmup} is not a whole number of 0 or more")
    every = numbers.get("every", 1)
    if every < 1 or every != int(every):
        raise ValueError(f"every {every} is not a whole number of 1 or more")
    for name, number in (("l2", spec.l2), ("weight_decay", spec.decay)):
        if number < 0:
            raise ValueError(f"{name} {number} is not 0 or more")
    for name, scale in (("clip_norm", spec.clip_norm), ("gamma", numbers.get("gamma"))):
        if scale is not None and scale <= 0:
            raise ValueError(f"{name} {scale} is not above 0")


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
    row: np.ndarray = initial_rows(spec, np.array([spec.replicate]), n_features, n_samples, seed)[0]
    return row


def initial_rows(spec: NetworkSpec, replicates: np.ndarray, n_features: int, n_samples: int, seed: int) -> np.ndarray:
    """`initial_params` of many replicates (n,) of a specification, (n, n_params)."""
    layout = layout_of(spec.architecture, n_features)
    start = initialise.Start(law_of(spec.initialiser), spec.bias, spec.init_hypers)
    rows = initialise.replicates_own(layout, seed, replicates, start)
    if spec.initialiser == STREAM and 0 in replicates:
        activation = _assignment_activation(spec, n_features)
        rows[replicates == 0] = initialise.assignment_stream(layout, seed, activation, n_samples)
    return rows


def _assignment_activation(spec: NetworkSpec, n_features: int) -> str:
    n_inputs, *hidden_sizes, n_outputs = ASSIGNMENT_SIZES
    own = {Architecture.plain(hidden_sizes, name, n_outputs): name for name in ACTIVATIONS}
    if n_features != n_inputs or spec.architecture not in own:
        raise ValueError(f"'{spec.architecture}' is not a 1-100-100-1 network, which assignment-stream needs")
    return own[spec.architecture]
