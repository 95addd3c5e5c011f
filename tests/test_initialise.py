"""Initial parameters: the law, the streams, and the assignment's own networks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shoal.kernels.ensemble import NetworkSpec, initial_params
from shoal.kernels.network import initialise
from shoal.kernels.network.architecture import Architecture
from shoal.kernels.network.draws import Draws
from shoal.kernels.network.laws import BIASES, LAWS
from shoal.kernels.network.tape import layout_of
from tests import naive
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
    [row] = initialise.replicates_own(layout, SEED, np.array([0]))
    for (W, b), variance in zip(layout.weights(row), (6 / 500, 6 / 400), strict=True):
        assert abs(W.mean()) < 5 * np.sqrt(variance / W.size)
        assert W.var() == pytest.approx(variance, rel=5 * np.sqrt(2 / W.size))
        assert ((b >= -1) & (b < 1)).all()
        assert b.var() == pytest.approx(1 / 3, rel=0.3)


@pytest.mark.parametrize("law", [name for name in LAWS if name != "assignment"])
@pytest.mark.parametrize("bias", [None, *BIASES])
def test_other_laws_agree_with_the_oracle(law: str, bias: str | None) -> None:
    """Siren's too, as its network of sines that have 30 times the argument is the same function."""
    architecture = Architecture.parse("(dense 5 > sin | sin > dense 5) > dense 7 > sin > dense 2")
    spec = NetworkSpec(architecture, law, 4, bias=bias)
    got = list(layout_of(architecture, 3).weights(initial_params(spec, 3, 10, SEED)))
    generator = np.random.Generator(np.random.Philox(naive.seed_sequence(SEED, "init", 4)))
    sizes = [(3, 5, True), (3, 5, False), (5, 7, False), (7, 2, False)]
    for (W, b), (fan_in, fan_out, is_first) in zip(got, sizes, strict=True):
        of_b = bias or ("uniform" if law == "siren" else "zero")
        want_W, want_b = naive.initial_layer(law, of_b, generator, fan_in, fan_out, is_first)
        scale = 30 if law == "siren" and fan_out != 2 else 1
        np.testing.assert_allclose(W, scale * want_W, rtol=1e-15)
        np.testing.assert_allclose(b, scale * want_b, rtol=1e-15)


@pytest.mark.parametrize("law", LAWS)
def test_many_replicates_begin_as_each_would_from_numpys_generator(law: str) -> None:
    """Thousands of numbers each, so that every part of the ziggurat is drawn from."""
    layout = layout_of(Architecture.plain((40, 30), "sin", 1), 3)
    replicates, start = np.array([3, 0, 2**32 - 1, 2**32, 7]), initialise.Start(LAWS[law])
    rows = initialise.replicates_own(layout, SEED, replicates, start)
    for row, replicate in zip(rows, replicates.tolist(), strict=True):
        generator = np.random.Generator(np.random.Philox(naive.seed_sequence(SEED, "init", replicate)))
        np.testing.assert_array_equal(row, initialise.draw(layout, generator, start))  # type: ignore[arg-type]


@settings(deadline=None)
@given(
    seed=st.integers(0, 2**140), shapes=st.lists(st.sampled_from([1, 2, 5, (3, 4), 400]), max_size=5), data=st.data()
)
def test_draws_are_numpys_one_after_another(
    seed: int, shapes: list[int | tuple[int, int]], data: st.DataObject
) -> None:
    replicates = np.array(data.draw(st.lists(st.integers(0, 2**33), min_size=1, max_size=3)))
    drawn = Draws(seed, "init", replicates)
    generators = [np.random.Generator(np.random.Philox(naive.seed_sequence(seed, "init", int(n)))) for n in replicates]
    for k, shape in enumerate(shapes):
        name, own = ("normal", (0.0, 0.7)) if data.draw(st.booleans()) else ("uniform", (-0.1 * k, 0.3))
        want = np.stack([getattr(generator, name)(*own, shape) for generator in generators])
        np.testing.assert_array_equal(getattr(drawn, name)(*own, shape), want)


@pytest.mark.parametrize(
    ("law", "variance"),
    [("glorot", 2 / 500), ("he", 2 / 200), ("lecun", 1 / 200)],
)
def test_the_moments_and_limits_of_the_laws(law: str, variance: float) -> None:
    architecture = Architecture.plain((300,), "relu", 1)
    for kind, spread in (("normal", np.inf), ("uniform", np.sqrt(3 * variance))):
        spec = NetworkSpec(architecture, f"{law}_{kind}", 0)
        W, b = next(iter(layout_of(architecture, 200).weights(initial_params(spec, 200, 10, SEED))))
        assert W.var() == pytest.approx(variance, rel=5 * np.sqrt(2 / W.size))
        assert abs(W.mean()) < 5 * np.sqrt(variance / W.size)
        assert (np.abs(W) < spread).all()
        assert (b == 0).all()


def test_sirens_own_number() -> None:
    """The largest weights of every layer, where omega_0 is not 30."""
    architecture = Architecture.plain((400, 400), "sin", 400)
    spec = NetworkSpec(architecture, "siren", 0, init_hypers=(("omega_0", 8.0),))
    rows = list(layout_of(architecture, 2).weights(initial_params(spec, 2, 10, SEED)))
    limits = (8 / 2, np.sqrt(6 / 400), np.sqrt(6 / 400) / 8)
    assert [np.abs(W).max() for W, _ in rows] == pytest.approx(limits, rel=0.02)
    assert [np.abs(b).max() for _, b in rows] == pytest.approx((8 / np.sqrt(2), 8 / 20, 1 / 20), rel=0.05)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"initialiser": "assignment", "bias": "zero"}, "bias 'zero' is not one of those allowed: none, as assignment"),
        ({"initialiser": "siren", "bias": "one"}, "bias 'one' is not one of those allowed: zero, uniform"),
        ({"initialiser": "he_normal", "init_hypers": (("omega_0", 1.0),)}, "he_normal has no omega_0; allowed: noth"),
        ({"initialiser": "siren", "init_hypers": (("omega", 1.0),)}, "siren has no omega; allowed: omega_0"),
        ({"initialiser": "siren", "init_hypers": (("omega_0", 0.0),)}, "omega_0 0.0 is not a finite number above 0"),
    ],
)
def test_what_a_law_does_not_have_is_refused(keys: dict[str, Any], message: str) -> None:
    spec = NetworkSpec(Architecture.parse("dense 1"), replicate=0, learning_rate=0.1, steps=1, **keys)
    with pytest.raises(ValueError, match=message):
        spec.check(10, 1, 1)


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
