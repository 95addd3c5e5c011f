"""Forward and backward pass: against the oracle, and against central differences of the cost that is reported."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count

import numpy as np
import pytest
from hypothesis import assume, given, settings

from shoal.kernels import ensemble, single
from shoal.kernels.network.architecture import ACTIVATIONS, Architecture
from tests import naive
from tests.naive import Array, Weights
from tests.problems import (
    LAYER,
    SEED,
    Problem,
    cast,
    flat,
    nudged,
    nudged_weights,
    problems,
    relative,
    tensors,
    unflat,
    worst,
)

STEP = 2e-5
"""Half the distance of a central difference."""
GRAPHS = (
    "(dense 1 | relu > dense 1 | relu > relu > dense 1) > dense {}",
    "(dense 4 | dense 4 > relu > dense 4 | dense 4 > relu > dense 4 > relu > dense 4) > dense {}",
    "(tanh | sigmoid > linear) > relu > dense 3 > dense {}",
    "dense 4 > tanh > (skip | dense 3 > relu > dense 4) > relu > (skip | (skip | dense 4) > tanh) > dense {}",
    "(skip & dense 3 > relu & (dense 2 | (relu & dense 1 > tanh > dense 1) > dense 2)) > (tanh & skip) > dense {}",
    "dropout 0.3 > dense 5 > relu > dropout 0.5 > (dropout 0.1 | dense 5) > dense {}",
)


def reported(architecture: Architecture, params: Array, x: Array, y: Array) -> float:
    """The cost as the door reports it."""
    return float(ensemble.gradients(architecture, params, x, y).half_mse.sum())


def answers(architecture: Architecture, weights: Weights, x: Array, y: Array) -> list[Array]:
    """All that the oracle knows about the gradient, tensor by tensor, and the cost per output."""
    with np.errstate(invalid="ignore"):  # NumPy's product of float32 says so now and then, of finite numbers
        grads = naive.gradients(architecture, weights, x, y)
        return [naive.half_mse(architecture, weights, x, y), *tensors(grads.weights), *grads.a, grads.x]


@settings(deadline=None, max_examples=50)
@given(problem=problems())
@pytest.mark.parametrize(
    ("dtype", "finer", "tolerance"), [("float64", "longdouble", 1e-12), ("float32", "float64", 1e-5)]
)
def test_gradients_agree_with_the_oracle(dtype: str, finer: str, tolerance: float, problem: Problem) -> None:
    architecture, x, y = problem.architecture, problem.x, problem.y
    weights = cast(problem.weights, dtype)
    want = answers(architecture, cast(weights, finer), x.astype(finer), y.astype(finer))
    # A sum that cancels to almost nothing, a unit that is saturated for every sample or a relu on its kink says nothing
    # at this tolerance: in this dtype the textbook itself, its data rounded once more, has to keep to a part of it.
    rounded = answers(architecture, nudged_weights(weights), nudged(x.astype(dtype)), nudged(y.astype(dtype)))
    assume(worst(rounded, want) < tolerance / 8)
    assume(naive.kink_distance(architecture, weights, x) > 100 * np.finfo(dtype).eps)
    got = ensemble.gradients(architecture, flat(weights), x, y)
    pairs = list(zip(got.W, got.b, strict=True))
    assert worst([got.half_mse, *tensors(pairs), *got.a, got.x], want) <= tolerance


@settings(deadline=None, max_examples=30)
@given(problem=problems())
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-12), ("float32", 1e-4)])
def test_predictions_agree_with_the_oracle(dtype: str, tolerance: float, problem: Problem) -> None:
    params = flat(problem.weights).astype(dtype)
    got = ensemble.predict(problem.architecture, params, problem.x)
    assert got.dtype == np.float64
    assert relative(got, naive.forward(problem.architecture, problem.weights, problem.x)) <= tolerance


@settings(deadline=None, max_examples=30)
@given(problem=problems(LAYER))
def test_the_cost_that_is_differentiated_is_the_one_that_training_reports(problem: Problem) -> None:
    """To the order of sums, which is another where networks are in the lanes: it decides where residuals cancel."""
    x, y = problem.x, problem.y
    [trained] = ensemble.train([problem.spec(learning_rate=0.01, steps=1)], x, y, seed=SEED)
    assert trained.costs.shape == (2, y.shape[1])
    for costs, params in zip(trained.costs, (flat(problem.weights), trained.params), strict=True):
        want = ensemble.gradients(problem.architecture, params, x, y).half_mse
        moved = ensemble.gradients(problem.architecture, nudged(params), x, y).half_mse
        assume(relative(moved, want) < 1e-12 / 8)
        assert relative(costs, want) <= 1e-12


# --- central differences --------------------------------------------------------------------------------------------


def networks() -> Iterator[str]:
    """Every activation and depth 0 to 3, and the branch networks, with 1 and with 3 outputs."""
    for n_outputs in (1, 3):
        yield f"dense {n_outputs}"
        for name in ACTIVATIONS:
            for depth in (1, 2, 3):
                yield str(Architecture.plain([4, 5, 3][:depth], name, n_outputs))
        for text in GRAPHS:
            yield text.format(n_outputs)


def away_from_kinks(text: str) -> Problem:
    """The first replicate whose kinks are all well off."""
    for replicate in count():
        problem = Problem(Architecture.parse(text), 4, 2, 0, replicate)
        if naive.kink_distance(problem.architecture, problem.weights, problem.x) > 1e-2:
            return problem
    raise AssertionError


def differences(cost: Callable[[Array], float], at: Array) -> Array:
    """Central differences of the cost in every coordinate."""
    slopes = np.empty_like(at)
    for index in np.ndindex(at.shape):
        ahead, behind = at.copy(), at.copy()
        ahead[index] += STEP
        behind[index] -= STEP
        slopes[index] = (cost(ahead) - cost(behind)) / (2.0 * STEP)
    return slopes


def places(problem: Problem) -> Iterator[tuple[Array, Callable[[Array], float]]]:
    """In the order of `Gradients.a`: a value in the network, the cost as its function."""
    architecture, weights, x, y = problem.architecture, problem.weights, problem.x, problem.y
    found = naive.Pass()
    found.path(architecture.layers, weights, x)
    for place, value in enumerate(found.values):
        yield value, lambda v, place=place: naive.half_mse(architecture, weights, x, y, given={place: v}).sum()


@pytest.mark.parametrize("text", list(networks()))
def test_gradients_agree_with_central_differences_of_the_reported_cost(text: str) -> None:
    problem = away_from_kinks(text)
    architecture = problem.architecture
    x, y, params = problem.x, problem.y, flat(problem.weights)
    got = ensemble.gradients(architecture, params, x, y)
    slopes = unflat(differences(lambda row: reported(architecture, row, x, y), params), problem.weights)
    assert worst(tensors(list(zip(got.W, got.b, strict=True))), slopes) <= 1e-6
    assert relative(got.x, differences(lambda value: reported(architecture, params, value, y), x)) <= 1e-6
    for da, (value, cost) in zip(got.a, places(problem), strict=True):
        smooth = np.abs(value) >= 10 * STEP  # elsewhere, a relu that is next may stand on its kink
        assert smooth.any()
        assert relative(da[smooth], differences(cost, value)[smooth]) <= 1e-6


def test_the_derivative_of_relu_at_its_kink_is_zero() -> None:
    architecture = Architecture.parse("relu > dense 1")
    got = ensemble.gradients(architecture, np.array([1.0, 0.0]), np.array([[0.0], [1.0]]), np.array([[1.0], [0.0]]))
    assert got.x.tolist() == [[0.0], [0.5]]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_many_networks_predict_as_each_does(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    architecture, generator = Architecture.parse("dense 5 > tanh > dense 2"), np.random.default_rng(2)
    params, x = generator.normal(size=(4, 27)).astype(dtype), generator.normal(size=(130, 2))
    params[2, 3] = np.nan
    monkeypatch.setattr(single, "TOGETHER", 1000)
    parts = list(single.predict_each(architecture, params, x))
    assert 1 < len(parts) < 4
    for row, outputs in zip(params, np.concatenate(parts), strict=True):
        np.testing.assert_array_equal(outputs, ensemble.predict(architecture, row, x))
