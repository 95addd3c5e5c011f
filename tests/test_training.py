"""Gradient descent against the oracle, the assignment's own numbers, and networks that diverge."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from shoal.kernels import ensemble
from shoal.kernels.ensemble import NetworkSpec, Trained
from shoal.kernels.network.architecture import ACTIVATIONS, Architecture
from shoal.kernels.training import data as data_sets
from tests import naive
from tests.naive import Array, Weights
from tests.problems import (
    EVERY_WAY,
    SEED,
    Problem,
    cast,
    nudged_activations,
    nudged_weights,
    problems,
    relative,
    tensors,
    unflat,
    worst,
)


@dataclass(frozen=True)
class Run:
    """How a problem is trained."""

    optimizer: str
    rate: float
    steps: int


METHODS = ("gd", "adam")
RUNS = st.builds(Run, st.sampled_from(METHODS), st.floats(1e-4, 0.02), st.integers(1, 60))


def oracle(
    problem: Problem, weights: Weights, run: Run, batch_size: int | None, dtype: str = "float64"
) -> tuple[Weights, Array]:
    """Parameters and costs of a run in this dtype."""
    x, y, optimizer = problem.x.astype(dtype), problem.y.astype(dtype), naive.OPTIMIZERS[run.optimizer](run.rate)
    key, dropout = naive.shuffle_key(SEED, problem.replicate), naive.dropout_key(SEED, problem.replicate)
    training = (problem.architecture, weights, x, y, optimizer, run.steps)
    with np.errstate(over="ignore", invalid="ignore"):
        if batch_size is None:
            weights, costs = naive.full_batch(*training, dropout=dropout)
        else:
            weights, costs = naive.minibatch(*training, batch_size, key, dropout=dropout)
    return weights, costs


def train(problem: Problem, run: Run, batch_size: int | None, dtype: str = "float64") -> Trained:
    """The same run by the kernels."""
    spec = problem.spec(optimizer=run.optimizer, learning_rate=run.rate, steps=run.steps, batch_size=batch_size)
    return ensemble.train([spec], problem.x, problem.y, seed=SEED, dtype=dtype)[0]


def check(problem: Problem, run: Run, batch_size: int | None, drawn: bool = False) -> None:
    """The kernels agree with the oracle in float64; a run that is drawn is required to be no chaos."""
    want, costs = oracle(problem, problem.weights, run, batch_size)
    if drawn:
        assume_bounded(costs)
        with nudged_activations():
            moved, moved_costs = oracle(problem, nudged_weights(problem.weights), run, batch_size)
        assume(worst(tensors(moved), tensors(want)) < 1e-12 / 8)
        sizes = (np.abs(tensor).max() for weights in (want, problem.weights) for tensor in tensors(weights))
        ends, begins = np.array(list(sizes)).reshape(2, -1)
        assume(bool((ends > begins / 10).all()))  # no tensor that has just come to zero, and keeps what was rounded
        assume(relative(moved_costs, costs) < 1e-12 / 8)
    got = train(problem, run, batch_size)
    assert got.diverged_step is None
    assert relative(got.costs, costs) <= 1e-12
    assert worst(unflat(got.params, problem.weights), tensors(want)) <= 1e-12
    recorded = list(range(run.steps + 1)) if batch_size is None else naive.recorded_steps(run.steps)
    assert got.recorded_steps.tolist() == recorded


def check_single(problem: Problem, run: Run, batch_size: int | None, drawn: bool = False) -> None:
    """The kernels agree with the oracle in float32; a run that is drawn keeps to it in single precision: no chaos."""
    weights = cast(problem.weights, "float32")
    _, costs = oracle(problem, cast(weights, "float64"), run, batch_size)
    if drawn:
        assume_bounded(costs)
        with nudged_activations():
            _, rounded = oracle(problem, nudged_weights(weights), run, batch_size, "float32")
        assume(relative(rounded, costs) < 1e-4 / 8)
    got = train(problem, run, batch_size, "float32")
    assert got.params.dtype == np.float32
    assert relative(got.costs, costs) <= 1e-4


def assume_bounded(costs: Array) -> None:
    assume(bool(np.max(costs) < 10 * costs[0].sum() + 1))  # NaN fails too


IN_BOTH_PRECISIONS = pytest.mark.parametrize("same", [check, check_single], ids=["float64", "float32"])
FEW_STEPS = Run("gd", 1e-3, 4)
"""Too little to lead into chaos: the textbook need not be asked twice."""


@settings(deadline=None, max_examples=40)
@given(problem=problems(), run=RUNS)
@IN_BOTH_PRECISIONS
def test_full_batch_runs_agree_with_the_oracle(same: Callable[..., None], problem: Problem, run: Run) -> None:
    same(problem, run, None, drawn=True)


@settings(deadline=None, max_examples=50)
@given(problem=problems(), run=RUNS, data=st.data())
@IN_BOTH_PRECISIONS
def test_minibatch_runs_agree_with_the_oracle(
    same: Callable[..., None], problem: Problem, run: Run, data: st.DataObject
) -> None:
    batch_sizes = st.integers(1, problem.n_samples) | st.integers(1, min(40, problem.n_samples))
    same(problem, run, data.draw(batch_sizes), drawn=True)


@pytest.mark.parametrize("optimizer", METHODS)
@IN_BOTH_PRECISIONS
@pytest.mark.parametrize(
    ("widths", "n_samples"), [((5,), 513), ((5,), 1100), ((70, 70), 1024), ((300, 300), 1100), ((3,), 9000)]
)
def test_chunks_of_samples_agree_with_the_oracle(
    widths: tuple[int, ...], n_samples: int, same: Callable[..., None], optimizer: str
) -> None:
    """More samples than fit a tile: two chunks, chunks that are not equal, many, some of more than one tile."""
    problem, run = Problem(Architecture.plain(widths, "tanh", 2), n_samples, 3, 0, 0), Run(optimizer, 1e-3, 3)
    same(problem, run, None)
    same(problem, run, n_samples - 7)


@IN_BOTH_PRECISIONS
@pytest.mark.parametrize(
    ("width", "activation"), [(width, EVERY_WAY[(width + other) % 6]) for width in range(1, 71) for other in (0, 3)]
)
def test_every_width_agrees_with_the_oracle(width: int, activation: str, same: Callable[..., None]) -> None:
    """A few steps of both kinds: samples in the lanes, and networks.

    Each width with two of the ways, each way with every remainder of a width by the sizes of tiles, up to 16.
    """
    problem = Problem(Architecture.plain((width, 71 - width), activation, 2), 37, 3, width, width)
    for batch_size in (None, 1, 5):
        same(problem, FEW_STEPS, batch_size)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@IN_BOTH_PRECISIONS
@pytest.mark.parametrize("depth", range(6))
def test_every_depth_agrees_with_the_oracle(depth: int, activation: str, same: Callable[..., None]) -> None:
    problem = Problem(Architecture.plain((9, 5, 18, 3, 7)[:depth], activation, 2), 37, 3, depth, depth)
    for batch_size in (None, 1, 5):
        same(problem, FEW_STEPS, batch_size)


@IN_BOTH_PRECISIONS
@pytest.mark.parametrize("n_samples", [1, 2, 31, 33, 70, 131])
def test_every_batch_size_agrees_with_the_oracle(n_samples: int, same: Callable[..., None]) -> None:
    problem = Problem(Architecture.plain((9, 5), "tanh", 2), n_samples, 3, 0, 0)
    for batch_size in range(1, n_samples + 1):
        same(problem, FEW_STEPS, batch_size)


@IN_BOTH_PRECISIONS
@pytest.mark.parametrize("n_samples", [*range(1, 71), 127, 129, 511, 512, 513, 1023, 1025])
def test_every_number_of_samples_agrees_with_the_oracle(n_samples: int, same: Callable[..., None]) -> None:
    """Those that fill no vector, and one more or less than a tile holds."""
    same(Problem(Architecture.plain((9, 5), "sigmoid", 2), n_samples, 3, 0, n_samples), FEW_STEPS, None)


def test_one_minibatch_of_all_samples_is_full_batch_descent() -> None:
    problem = Problem(Architecture.plain((7, 9), "tanh", 2), 100, 3, 0, 0)
    full, minibatch = train(problem, Run("gd", 0.02, 80), None), train(problem, Run("gd", 0.02, 80), 100)
    assert relative(minibatch.params, full.params) <= 1e-12
    assert relative(minibatch.costs, full.costs[minibatch.recorded_steps]) <= 1e-12


@settings(deadline=None)
@given(steps=st.integers(1, 100_000), batch_size=st.one_of(st.none(), st.integers(1, 100)))
def test_recorded_steps_begin_at_zero_and_end_at_the_last(steps: int, batch_size: int | None) -> None:
    recorded = ensemble.recorded_steps(steps, batch_size)
    assert recorded[0] == 0
    assert recorded[-1] == steps
    assert (np.diff(recorded) > 0).all()
    assert len(recorded) == steps + 1 if batch_size is None else len(recorded) <= 51


def test_the_assignments_own_numbers() -> None:
    x = np.random.RandomState(SEED).uniform(-np.pi, np.pi, (1000, 1))
    rates = {"relu": 0.02, "linear": 0.005, "tanh": 0.02}
    specs = [
        NetworkSpec(Architecture.plain((100, 100), name, 1), "assignment-stream", 0, learning_rate=rate, steps=500)
        for name, rate in rates.items()
    ]
    trained = ensemble.train(specs, x, np.sin(x), seed=SEED)
    got = [run.costs[-1].sum() for run in trained]
    assert got == pytest.approx([0.0004086664854280885, 0.0967346963549225, 0.0009913490262872169], rel=1e-9, abs=0)


# --- divergence -----------------------------------------------------------------------------------------------------

LINE = Problem(Architecture.plain((5, 5), "linear", 2), 100, 2, 0, 0)


@pytest.mark.parametrize("rate", [0.5, 1.0, 1e3, 1e200])
def test_a_run_that_diverges_stops_at_the_step_at_which_the_textbook_does(rate: float) -> None:
    with np.errstate(over="ignore", invalid="ignore"):
        descent = naive.GradientDescent(rate)
        _, costs = naive.full_batch(LINE.architecture, LINE.weights, LINE.x, LINE.y, descent, 50)
    first = int(np.argmax(~np.isfinite(costs.sum(axis=1))))
    assert first > 0
    got = train(LINE, Run("gd", rate, 50), None)
    assert got.diverged_step == first
    assert got.recorded_steps.tolist() == list(range(first))
    assert relative(got.costs, costs[:first]) <= 1e-9


@pytest.mark.parametrize("batch_size", [1, 30, 100])
def test_a_minibatch_run_that_diverges_keeps_what_came_before(batch_size: int) -> None:
    got, short = (train(LINE, Run("gd", rate, 2000), batch_size) for rate in (1.0, 1e-3))
    assert got.diverged_step is not None
    assert 0 < got.diverged_step < 2000
    assert got.recorded_steps.tolist() == [step for step in short.recorded_steps if step < got.diverged_step]
    assert got.costs.shape == (len(got.recorded_steps), 2)
    assert np.isfinite(got.costs).all()
    assert short.diverged_step is None


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", EVERY_WAY)
@pytest.mark.parametrize("batch_size", [None, 1])
def test_one_bad_number_past_the_door_diverges_at_step_0(
    bad: float, name: str, batch_size: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_sets, "check_finite", lambda name, values: None)
    problem = Problem(Architecture.plain((3,), name, 1), 70, 2, 0, 0)
    y = problem.y.copy()
    y[66] = bad
    got = ensemble.train([problem.spec(learning_rate=0.01, steps=5, batch_size=batch_size)], problem.x, y, seed=SEED)[0]
    assert got.diverged_step == 0
    assert got.recorded_steps.size == got.costs.size == 0


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_nan_is_not_lost_in_an_activation(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_sets, "check_finite", lambda name, values: None)
    problem = Problem(Architecture.plain((3, 4), name, 1), 70, 2, 0, 0)
    x = problem.x.copy()
    x[66, 1] = np.nan
    got = ensemble.train([problem.spec(learning_rate=0.01, steps=5)], x, problem.y, seed=SEED)[0]
    assert got.diverged_step == 0
