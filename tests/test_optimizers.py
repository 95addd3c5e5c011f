"""Optimizers, schedules, weight decay, the l2 penalty and clipping: against PyTorch and against the oracle."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any

import numba
import numpy as np
import pytest

from shoal.kernels import ensemble
from shoal.kernels.ensemble import Trained
from shoal.kernels.network.architecture import Architecture
from shoal.kernels.network.tape import layout_of
from shoal.kernels.training import plan
from shoal.kernels.training.optimizers import OPTIMIZERS
from shoal.kernels.training.regularise import clip_factor
from shoal.kernels.training.schedules import SCHEDULES
from tests import naive
from tests.naive import Array, Weights
from tests.problems import SEED, Problem, cast, flat, relative

STEPS = 100
PLAIN = Problem(Architecture.plain((8, 8), "tanh", 2), 50, 3, 0, 0)
BESIDE: tuple[dict[str, float], ...] = (
    {},
    {"weight_decay": 0.2},
    {"l2": 0.05},
    {"clip_norm": 0.3},
    {"weight_decay": 0.2, "l2": 0.05, "clip_norm": 0.3},
)
"""What is done beside an optimizer's step; a norm of 0.3 is reached in some steps and not in others."""
NUMBERS = {"constant": {}, "step": {"every": 3, "gamma": 0.7}, "exponential": {"gamma": 0.98}, "cosine": {}}
RATES = {"gd": 0.05, "momentum": 0.02, "nesterov": 0.02, "adagrad": 0.05, "rmsprop": 0.005, "adam": 0.02, "adamw": 0.02}


@dataclass(frozen=True)
class Run:
    """How a problem is trained."""

    optimizer: str
    schedule: str = "constant"
    warmup: int = 0
    batch_size: int | None = None
    beside: dict[str, float] = field(default_factory=dict)
    hypers: tuple[tuple[str, float], ...] = ()
    steps: int = STEPS

    def epochs(self, n: int) -> list[int]:
        """The epoch of each step; under full batch it is the step."""
        return [step // -(-n // (self.batch_size or n)) for step in range(self.steps)]

    def rates(self, n: int) -> list[float]:
        """The learning rate of each step."""
        epochs = self.epochs(n)
        rates = naive.rates(RATES[self.optimizer], self.schedule, epochs[-1] + 1, self.warmup, **NUMBERS[self.schedule])
        return [rates[epoch] for epoch in epochs]

    @property
    def weight_decay(self) -> float:
        """As asked for, or PyTorch's default."""
        return self.beside.get("weight_decay", 0.01 if self.optimizer == "adamw" else 0.0)

    def train(self, problems: list[Problem], dtype: str = "float64") -> list[Trained]:
        """By the kernels."""
        spec = {
            "optimizer": self.optimizer,
            "learning_rate": RATES[self.optimizer],
            "steps": self.steps,
            "batch_size": self.batch_size,
            "schedule": self.schedule,
            "warmup": self.warmup,
            "hypers": (*NUMBERS[self.schedule].items(), *self.hypers),
            **self.beside,
        }
        specs = [problem.spec(**spec) for problem in problems]
        return ensemble.train(specs, problems[0].x, problems[0].y, seed=SEED, dtype=dtype)


# --- PyTorch --------------------------------------------------------------------------------------------------------


def torch_optimizer(torch: Any, run: Run, weights: list[Any], biases: list[Any]) -> Any:
    """PyTorch's own, with its own defaults."""
    rate, optim, both = RATES[run.optimizer], torch.optim, [*weights, *biases]
    groups = [{"params": weights, "weight_decay": run.weight_decay}, {"params": biases, "weight_decay": 0.0}]
    makers: dict[str, Callable[[], Any]] = {
        "gd": lambda: optim.SGD(both, rate),
        "momentum": lambda: optim.SGD(both, rate, momentum=0.9),
        "nesterov": lambda: optim.SGD(both, rate, momentum=0.9, nesterov=True),
        "adagrad": lambda: optim.Adagrad(both, rate),
        "rmsprop": lambda: optim.RMSprop(both, rate),
        "adam": lambda: optim.Adam(both, rate),
        "adamw": lambda: optim.AdamW(groups, rate),
    }
    return makers[run.optimizer]()


def torch_schedule(torch: Any, run: Run, optimizer: Any, n_epochs: int) -> Any:
    """PyTorch's own, behind its own linear warm-up."""
    schedules, numbers, w = torch.optim.lr_scheduler, NUMBERS[run.schedule], run.warmup
    makers: dict[str, Callable[[], Any]] = {
        "constant": lambda: schedules.ConstantLR(optimizer, factor=1.0),
        "step": lambda: schedules.StepLR(optimizer, int(numbers["every"]), numbers["gamma"]),
        "exponential": lambda: schedules.ExponentialLR(optimizer, numbers["gamma"]),
        "cosine": lambda: schedules.CosineAnnealingLR(optimizer, n_epochs - w),
    }
    if not w:
        return makers[run.schedule]()
    warmup = schedules.LinearLR(optimizer, start_factor=1 / (w + 1), total_iters=w)
    return schedules.SequentialLR(optimizer, [warmup, makers[run.schedule]()], milestones=[w])


def torch_params(torch: Any, problem: Problem, run: Run) -> Weights:
    """The parameters after a run by PyTorch, from the same start and through the same batches."""
    pairs = [tuple(torch.tensor(tensor, requires_grad=True) for tensor in pair) for pair in problem.weights]
    weights, biases = ([pair[k] for pair in pairs] for k in (0, 1))
    x, y, n = torch.tensor(problem.x), torch.tensor(problem.y), problem.n_samples
    optimizer, epochs = torch_optimizer(torch, run, weights, biases), run.epochs(n)
    schedule = torch_schedule(torch, run, optimizer, epochs[-1] + 1)
    key, size = naive.shuffle_key(SEED, problem.replicate), run.batch_size
    for step, epoch in enumerate(epochs):
        if step and epoch > epochs[step - 1]:
            schedule.step()
        at = step - epochs.index(epoch)
        batch = slice(None) if size is None else naive.shuffled(key, epoch, n)[at * size : (at + 1) * size]
        values = x[batch]
        for k, (W, b) in enumerate(pairs):
            values = values @ W.T + b
            values = torch.tanh(values) if k < len(pairs) - 1 else values
        loss = 0.5 * ((values - y[batch]) ** 2).sum(1).mean()
        penalty = 0.5 * run.beside.get("l2", 0.0) * sum((W**2).sum() for W in weights)
        optimizer.zero_grad()
        (loss + penalty).backward()
        if "clip_norm" in run.beside:
            torch.nn.utils.clip_grad_norm_([*weights, *biases], run.beside["clip_norm"])
        if run.optimizer != "adamw":
            with torch.no_grad():
                for W in weights:
                    W -= optimizer.param_groups[0]["lr"] * run.weight_decay * W
        optimizer.step()
    return [(W.detach().numpy(), b.detach().numpy()) for W, b in pairs]


def runs() -> Iterator[Run]:
    """Every optimizer with every schedule, full batch and mini-batches; the rest in turn."""
    beside, warmups, batch_sizes = cycle(BESIDE), cycle((0, 4, 0)), cycle((10, 40))
    for optimizer in OPTIMIZERS:
        for schedule in SCHEDULES:
            for batch_size in (None, next(batch_sizes)):
                yield Run(optimizer, schedule, next(warmups), batch_size, next(beside))


def test_a_hundred_steps_end_where_pytorch_ends() -> None:
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)  # what it does here is too small for more
    every = list(runs())
    pairs = {(run.optimizer, str(run.beside)) for run in every}
    assert len(pairs) == len(OPTIMIZERS) * len(BESIDE)
    for run in every:
        [got] = run.train([PLAIN])
        difference = relative(got.params, flat(torch_params(torch, PLAIN, run)))
        assert difference <= (1e-12 if run.optimizer == "gd" else 1e-9), run


# --- the oracle -----------------------------------------------------------------------------------------------------


def oracle(problem: Problem, run: Run, dtype: str) -> tuple[Weights, Array]:
    """Parameters and costs by the textbook, in this dtype."""
    rates, x, y = run.rates(problem.n_samples), problem.x.astype(dtype), problem.y.astype(dtype)
    numbers = {"l2": 0.0, "clip_norm": np.inf} | run.beside | {"weight_decay": run.weight_decay}
    descent = naive.Regularised(naive.OPTIMIZERS[run.optimizer](0.0), rates, **numbers)
    weights = cast(problem.weights, dtype)
    if run.batch_size is None:
        return naive.full_batch(problem.architecture, weights, x, y, descent, run.steps)
    key = naive.shuffle_key(SEED, problem.replicate)
    return naive.minibatch(problem.architecture, weights, x, y, descent, run.steps, run.batch_size, key)


SMALL = [Problem(Architecture.plain((9, 5), "tanh", 2), 37, 3, 0, replicate) for replicate in range(3)]
LARGE = [Problem(Architecture.plain((128, 130), "tanh", 2), 1100, 3, 0, 0)]
BRANCHES = [Problem(Architecture.parse("(dense 3 | tanh > dense 3) > tanh > dense 2"), 37, 3, 0, 0)]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize(
    ("problems", "batch_sizes", "besides"),
    [(SMALL, (None, 1, 5, 35), BESIDE), (BRANCHES, (1, 5, 35), BESIDE[-1:]), (LARGE, (None, 700), BESIDE[2::2])],
    ids=["small", "branches", "slices and chunks"],
)
def test_every_way_agrees_with_the_oracle(
    problems: list[Problem],
    batch_sizes: tuple[int | None, ...],
    besides: tuple[dict[str, float], ...],
    optimizer: str,
    dtype: str,
) -> None:
    """Networks in the lanes and samples in the lanes, one chunk and several, one slice of the parameters and several.

    The costs are those without the penalty.
    """
    assert plan.n_slices(layout_of(LARGE[0].architecture, 3)) > 2
    limit = 1e-12 if dtype == "float64" else 1e-4
    for batch_size in batch_sizes:
        for beside in besides:
            run = Run(optimizer, "cosine", 2, batch_size, beside, steps=5)
            for problem, got in zip(problems, run.train(problems, dtype), strict=True):
                weights, costs = oracle(problem, run, dtype)
                recorded = got.recorded_steps if batch_size is None else slice(None)
                assert relative(got.costs, costs[recorded]) <= limit
                assert relative(got.params, flat(weights)) <= limit, run


def test_numbers_of_an_optimizer_can_be_given() -> None:
    other = {
        "nesterov": {"momentum": 0.5},
        "adagrad": {"epsilon": 0.1},
        "rmsprop": {"decay": 0.9, "epsilon": 0.1},
        "adam": {"beta_1": 0.8, "beta_2": 0.9, "epsilon": 0.1},
        "adamw": {"beta_1": 0.8, "beta_2": 0.9, "epsilon": 0.1},
    }
    g, p, first = np.array([0.3, -2.0]), np.array([1.0, 1.0]), 1
    for name, numbers in other.items():
        optimizer = OPTIMIZERS[name]
        assert numbers.keys() == optimizer.hypers.keys()
        hypers = optimizer.Hypers(**numbers)
        zero = (np.zeros(2),) * optimizer.n_states
        got, _ = optimizer.update(p, g, zero, 0.5, optimizer.numbers(first, hypers))
        want = {
            "nesterov": p - 0.5 * (g + 0.5 * g),
            "adagrad": p - 0.5 * g / (np.abs(g) + 0.1),
            "rmsprop": p - 0.5 * g / (np.sqrt(0.1 * g**2) + 0.1),
        }.get(name, p - 0.5 * g / (np.abs(g) + 0.1))
        assert relative(got, want) <= 1e-14
        run, usual = Run(name, hypers=tuple(numbers.items())), Run(name)
        assert not np.array_equal(run.train([PLAIN])[0].params, usual.train([PLAIN])[0].params)


@numba.njit
def factors(squares: Any, clip_norm: Any) -> Any:
    return [clip_factor(own, clip_norm) for own in squares]


def test_a_gradient_is_multiplied_by_at_most_1_and_by_0_where_its_norm_is_infinite() -> None:
    got = factors(np.array([9.0, 6.0, 0.0, np.inf, np.nan]), 2.5)
    np.testing.assert_array_equal(got, [2.5 / (3 + 1e-6), 1.0, 1.0, 0.0, np.nan])
