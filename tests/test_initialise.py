"""Initial parameters: the law, the streams, and the assignment's own networks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from shoal.kernels.ensemble import NetworkSpec, initial_params
from shoal.kernels.network import initialise
from shoal.kernels.network.architecture import Architecture
from shoal.kernels.network.tape import layout_of
from tests.problems import SEED, Problem, flat, problems


@settings(deadline=None)
@given(problem=problems())
def test_initial_parameters_are_the_replicates_own(problem: Problem) -> None:
    got = initial_params(problem.spec(), problem.n_features, problem.n_samples, SEED)
    np.testing.assert_array_equal(got, flat(problem.weights))
    other = NetworkSpec(problem.architecture, "assignment", problem.replicate + 1)
    assert (initial_params(other, problem.n_features, problem.n_samples, SEED) != got).all()


def test_the_law_of_the_initial_parameters() -> None:
    layout = layout_of(Architecture.plain((300,), "relu", 100), 200)
    row = initialise.assignment(layout, SEED, 0)
    for (W, b), variance in zip(layout.weights(row), (6 / 500, 6 / 400), strict=True):
        assert abs(W.mean()) < 5 * np.sqrt(variance / W.size)
        assert W.var() == pytest.approx(variance, rel=5 * np.sqrt(2 / W.size))
        assert ((b >= -1) & (b < 1)).all()
        assert b.var() == pytest.approx(1 / 3, rel=0.3)


def test_replicate_0_reads_on_where_the_assignments_stream_stands() -> None:
    generator = np.random.RandomState(SEED)
    generator.uniform(-np.pi, np.pi, (1000, 1))
    for name in ("relu", "linear", "tanh"):
        rows = []
        for fan_in, fan_out in ((1, 100), (100, 100), (100, 1)):
            rows.append(generator.normal(0, np.sqrt(6 / (fan_in + fan_out)), fan_in * fan_out))
            rows.append(generator.uniform(-1, 1, fan_out))
        architecture = Architecture.plain((100, 100), name, 1)
        own = NetworkSpec(architecture, "assignment-stream", 0)
        np.testing.assert_array_equal(initial_params(own, 1, 1000, SEED), np.concatenate(rows))
        later, plain = NetworkSpec(architecture, "assignment-stream", 1), NetworkSpec(architecture, "assignment", 1)
        np.testing.assert_array_equal(initial_params(later, 1, 1000, SEED), initial_params(plain, 1, 1000, SEED))


@pytest.mark.parametrize(
    ("text", "n_features", "message"),
    [
        ("dense 100 > sigmoid > dense 100 > sigmoid > dense 1", 1, "'sigmoid' has no place in the assignment's stream"),
        ("dense 100 > relu > dense 99 > relu > dense 1", 1, "is not a 1-100-100-1 network"),
        ("dense 100 > relu > dense 100 > relu > dense 1", 2, "is not a 1-100-100-1 network"),
        ("(relu | linear) > dense 100 > relu > dense 100 > relu > dense 1", 1, "is not a 1-100-100-1 network"),
        ("dense 100 > dense 100 > dense 1", 1, "is not a 1-100-100-1 network"),
        ("dense 100 > relu > dense 100 > tanh > dense 1", 1, "is not a 1-100-100-1 network"),
    ],
)
def test_no_other_network_is_in_the_assignments_stream(text: str, n_features: int, message: str) -> None:
    spec = NetworkSpec(Architecture.parse(text), "assignment-stream", 0)
    with pytest.raises(ValueError, match=message):
        initial_params(spec, n_features, 1000, SEED)
