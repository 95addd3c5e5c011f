"""Schedules: what the learning rate is multiplied by in epoch e = 0, 1, ...; under full batch an epoch is a step.

A schedule is a function of e, of n, how many epochs there are in all, and of its own numbers. In front of any there may
be a linear warm-up of w epochs, from whose end the schedule counts:

    rate_e = rate (e + 1) / (w + 1)            for e < w
    rate_e = rate schedule(e - w, n - w)       from there on, so that epoch w is the first at the full rate

as PyTorch's SequentialLR has it of LinearLR(start_factor=1 / (w + 1), total_iters=w) and of a schedule.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np


def constant(e: int, n: int) -> float:
    """1."""
    return 1.0


def step(e: int, n: int, every: float, gamma: float) -> float:
    """gamma^floor(e / every)."""
    return float(gamma ** (e // every))


def exponential(e: int, n: int, gamma: float) -> float:
    """gamma^e."""
    return float(gamma**e)


def cosine(e: int, n: int) -> float:
    """1/2 (1 + cos(pi e / n)), which comes to 0 behind the last epoch.

    Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR 2017, without restarts.
    """
    return 0.5 * (1.0 + math.cos(math.pi * e / n))


@dataclass(frozen=True, eq=False)
class Schedule:
    """One schedule. `hypers` are the numbers of its own that it takes, with their defaults: None has to be given.

    `depends_on_end` says whether networks that differ in steps alone have other learning rates from the first step on.
    """

    factor: Callable[..., float]
    hypers: Mapping[str, float | None]
    depends_on_end: bool = False

    def hypers_of(self, given: Iterable[tuple[str, float]]) -> tuple[Any, ...]:
        """The schedule's own numbers among those given, or their defaults."""
        numbers = dict(given)
        return tuple(numbers.get(name, default) for name, default in self.hypers.items())


SCHEDULES = {
    "constant": Schedule(constant, {}),
    "step": Schedule(step, {"every": None, "gamma": 0.1}),
    "exponential": Schedule(exponential, {"gamma": None}),
    "cosine": Schedule(cosine, {}, depends_on_end=True),
}
"""By name; the default of `gamma` is that of torch.optim.lr_scheduler.StepLR."""


class Rates(NamedTuple):
    """What fixes the learning rates of a run of `n_epochs` but the first of them."""

    schedule: str = "constant"
    hypers: tuple[float, ...] = ()
    warmup: int = 0
    n_epochs: int = 1


def rates_of(spec: Any, n_steps: int, n_samples: int) -> Rates:
    """The learning rates of a specification's network over n_steps."""
    steps_per_epoch = -(-n_samples // spec.batch_size) if spec.batch_size else 1
    return _rates(spec.schedule, spec.hypers, spec.warmup, -(-n_steps // steps_per_epoch))


@lru_cache(maxsize=256)
def _rates(schedule: str, given: tuple[tuple[str, float], ...], warmup: int, n_epochs: int) -> Rates:
    return Rates(schedule, SCHEDULES[schedule].hypers_of(given), warmup, n_epochs)


@lru_cache(maxsize=256)
@np.errstate(over="ignore")  # a rate that has grown beyond float64 is infinite, and its network diverges
def factors(rates: Rates) -> np.ndarray:
    """What the learning rate is multiplied by, epoch by epoch, float64; the last number goes on."""
    schedule, w = SCHEDULES[rates.schedule], rates.warmup
    n = min(rates.n_epochs, w + 1) if rates.schedule == "constant" else rates.n_epochs  # there may be 10^8 of them
    hypers = np.array(rates.hypers, float)
    values = np.empty(n)
    for e in range(n):
        values[e] = (e + 1) / (w + 1) if e < w else schedule.factor(e - w, rates.n_epochs - w, *hypers)
    values.flags.writeable = False  # one array serves all networks
    return values
