"""The ridge readout: against scikit-learn, against the normal equations, and the condition that its minimum fulfils."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shoal.kernels import ensemble
from shoal.kernels.ensemble import Trained
from shoal.kernels.network.architecture import Architecture
from shoal.kernels.training import data as data_sets
from tests import naive
from tests.naive import Array
from tests.problems import SEED, Problem, problems, relative, tensors, unflat

ALPHAS = st.sampled_from([0.01, 0.1, 1.0, 100.0])


def fit(problem: Problem, alpha: float, dtype: str = "float64") -> Trained:
    """The readout by the kernels."""
    return ensemble.train([problem.spec(optimizer="ridge", alpha=alpha)], problem.x, problem.y, seed=SEED, dtype=dtype)[
        0
    ]


def rounding(h: Array, y: Array, W: Array, alpha: float) -> float:
    """How far rounding the entries of h^T h and h^T y may move the solution W of (h^T h + alpha) W^T = h^T y."""
    centred = h - h.mean(axis=0)
    smallest = np.linalg.eigvalsh(centred.T @ centred)[0] + alpha
    size = np.linalg.norm(h)
    return float(16 * np.finfo(float).eps * size * (size * np.linalg.norm(W) + np.linalg.norm(y)) / smallest)


@settings(deadline=None, max_examples=30)
@given(problem=problems(), alpha=ALPHAS)
def test_the_readout_is_scikit_learns_and_that_of_the_normal_equations(problem: Problem, alpha: float) -> None:
    from sklearn.linear_model import Ridge  # two seconds, for which tests/test_host.py need not wait

    h = naive.last_hidden(problem.architecture, problem.weights, problem.x)
    got = fit(problem, alpha)
    *frozen, W, b = unflat(got.params, problem.weights)
    for before, after in zip(tensors(problem.weights[:-1]), frozen, strict=True):
        np.testing.assert_array_equal(before, after)
    oracle = Ridge(alpha=alpha).fit(h, problem.y)
    textbook = naive.ridge(problem.architecture, problem.weights, problem.x, problem.y, alpha)[-1]
    error = rounding(h, problem.y, W, alpha)
    error_of_b = error * float(np.linalg.norm(h.mean(axis=0))) + 1e-14
    for want_W, want_b in ((oracle.coef_.reshape(W.shape), np.ravel(oracle.intercept_)), textbook):
        np.testing.assert_allclose(W, want_W, rtol=0, atol=error)
        np.testing.assert_allclose(b, want_b, rtol=0, atol=error_of_b)


@settings(deadline=None, max_examples=30)
@given(problem=problems(), alpha=ALPHAS)
def test_the_penalised_cost_has_no_slope_at_the_readout(problem: Problem, alpha: float) -> None:
    got = fit(problem, alpha)
    grads = ensemble.gradients(problem.architecture, got.params, problem.x, problem.y)
    W = unflat(got.params, problem.weights)[-2]
    h = naive.last_hidden(problem.architecture, problem.weights, problem.x)
    scale = np.abs(problem.y).max() * max(np.abs(h).max(), 1.0)
    assert np.abs(grads.W[-1] + alpha / problem.n_samples * W).max() <= 1e-12 * scale
    assert np.abs(grads.b[-1]).max() <= 1e-12 * scale
    # What is reported is the plain cost of these parameters, without the penalty, as the one record of step 0.
    assert got.recorded_steps.tolist() == [0]
    assert got.diverged_step is None
    np.testing.assert_allclose(got.costs[0], grads.half_mse, rtol=1e-15, atol=0)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-12), ("float32", 1e-4)])
def test_single_precision_networks_are_read_out_in_double_precision(dtype: str, tolerance: float) -> None:
    problem = Problem(Architecture.plain((25, 50), "tanh", 3), 200, 2, 0, 0)
    exact = naive.ridge(problem.architecture, problem.weights, problem.x, problem.y, 0.1)
    got = fit(problem, 0.1, dtype)
    assert got.params.dtype == np.dtype(dtype)
    want = naive.half_mse(problem.architecture, exact, problem.x, problem.y)
    assert relative(got.costs[0], want) <= tolerance


def test_more_penalty_means_smaller_weights_and_in_the_limit_the_mean() -> None:
    problem = Problem(Architecture.plain((20,), "relu", 2), 100, 2, 0, 0)
    readouts = [unflat(fit(problem, alpha).params, problem.weights)[-2:] for alpha in (0.1, 10.0, 1e12)]
    sizes = [float(np.linalg.norm(W)) for W, _ in readouts]
    assert sizes == sorted(sizes, reverse=True)
    np.testing.assert_allclose(readouts[-1][1], problem.y.mean(axis=0), rtol=1e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_one_bad_number_past_the_door_diverges_at_step_0(bad: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_sets, "check_finite", lambda name, values: None)
    problem = Problem(Architecture.plain((3,), "tanh", 1), 70, 2, 0, 0)
    y = problem.y.copy()
    y[66] = bad
    got = ensemble.train([problem.spec(optimizer="ridge", alpha=0.1)], problem.x, y, seed=SEED)[0]
    assert got.diverged_step == 0
    assert got.recorded_steps.size == got.costs.size == 0
