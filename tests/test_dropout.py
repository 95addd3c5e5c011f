"""Dropout: the law of its masks, what they depend on, training with them, and prediction without."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shoal.kernels import ensemble
from shoal.kernels.network import dropout
from shoal.kernels.network.architecture import Architecture, Dropout
from shoal.kernels.network.tape import layout_of
from shoal.kernels.simd.lanes import GROUP, NETWORKS, SAMPLES
from shoal.kernels.streams import dropout_keys
from tests import naive
from tests.fleet import DTYPES, samples
from tests.naive import Array
from tests.problems import SEED, Problem, flat, relative, tensors, unflat, worst

KEYS = dropout_keys(SEED, np.arange(GROUP)).tolist()
NET = "dense 8 > tanh > dropout 0.3 > (skip | dense 8 > tanh > dropout 0.6) > dense 2"
PLAIN = NET.replace(" > dropout 0.3", "").replace(" > dropout 0.6", "")


def drawn(lanes: str, rate: float, units: int, step: int, rows: Array, dtype: str = "float64") -> Array:
    """Masks as the kernels draw them, (networks, rows, units): one network, or all of KEYS in the lanes."""
    networks = GROUP if lanes == NETWORKS.name else 1
    layout, kind = layout_of(Architecture.parse(f"{Dropout(rate)} > dense 1"), units), np.dtype(dtype)
    pair = dropout.PAIRS[lanes]
    for kernel in pair:
        kernel.load(kind)
    places = np.repeat(rows, networks)  # of the elements of a row
    n = -(-len(places) // 64) * 64  # vectors may run over the end
    a = np.empty((layout.n_units + layout.n_masks) * n, kind)
    keys = np.array([naive.split_mix_64(int(key), step) for key in KEYS], np.uint64).view(np.int64)
    ops, ends = dropout.for_training(layout.ops, lanes, kind), np.pad(places, (0, n - len(places)))
    pair.draw(kind, ops, len(ops), layout.n_units, keys, np.empty(GROUP, np.int64), ends, a, n, n)
    masks = a.reshape(-1, n)[layout.n_units :, : len(places)].reshape(units, len(rows), networks)
    return masks.transpose(2, 1, 0)


@settings(deadline=None, max_examples=30)
@given(
    rate=st.floats(0.001, 0.999),
    units=st.integers(1, 9),
    step=st.integers(0, 2**40),
    rows=st.lists(st.integers(0, 2**40), min_size=1, max_size=40),
)
@pytest.mark.parametrize("dtype", DTYPES)
def test_masks_follow_from_key_step_unit_and_row_in_whatever_lanes(
    dtype: str, rate: float, units: int, step: int, rows: list[int]
) -> None:
    want = [naive.Masks(int(key), step, rows).of(rate, 0, units).astype(dtype) for key in KEYS]
    for lanes, n in ((SAMPLES.name, 1), (NETWORKS.name, GROUP)):
        np.testing.assert_array_equal(drawn(lanes, rate, units, step, np.array(rows), dtype), want[:n])


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_as_many_units_are_dropped_as_the_rate_says_and_the_mean_is_kept(rate: float) -> None:
    masks = drawn(NETWORKS.name, rate, 50, 3, np.arange(1000))
    assert set(np.unique(masks)) == {0.0, 2**32 / (2**32 - round(rate * 2**32))}
    n = masks.size
    assert abs((masks == 0).sum() - rate * n) < 5 * np.sqrt(n * rate * (1 - rate))
    assert abs(masks.mean() - 1) < 5 * np.sqrt(rate / (1 - rate) / n)


def test_masks_of_networks_steps_units_and_rows_are_independent() -> None:
    """Of neighbours along each axis, as many are dropped together as chance has it."""
    rate, rows = 0.5, np.arange(300)
    dropped = np.stack([drawn(NETWORKS.name, rate, 40, step, rows) == 0 for step in range(3)])
    for axis in range(dropped.ndim):
        for one, next_ in pairwise(np.moveaxis(dropped, axis, 0)[:4]):
            n = one.size
            assert abs((one & next_).sum() - n * rate**2) < 5 * np.sqrt(n * rate**2 * (1 - rate**2))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("n", "batch_size"), [(21, None), (700, None), (90, 1), (90, 7), (90, 40)])
def test_training_agrees_with_the_oracle(n: int, batch_size: int | None, dtype: str) -> None:
    """With networks in the lanes and with samples, in one chunk and in several; the last batch is smaller."""
    problem = Problem(Architecture.parse(NET), n, 3, 0, 4)
    optimizer, key = naive.Adam(0.01), naive.dropout_key(SEED, problem.replicate)
    training = (problem.architecture, problem.weights, problem.x, problem.y, optimizer, 30)
    if batch_size is None:
        want, costs = naive.full_batch(*training, dropout=key)
    else:
        shuffles = naive.shuffle_key(SEED, problem.replicate)
        want, costs = naive.minibatch(*training, batch_size, shuffles, dropout=key)
    spec = problem.spec(optimizer="adam", learning_rate=0.01, steps=30, batch_size=batch_size)
    [got] = ensemble.train([spec], problem.x, problem.y, seed=SEED, dtype=dtype)
    tolerance = 1e-10 if dtype == "float64" else 1e-3
    assert relative(got.costs, costs) <= tolerance
    assert worst(unflat(got.params, problem.weights), tensors(want)) <= tolerance


def test_predictions_gradients_and_readouts_are_without_it() -> None:
    x, y = samples(90)
    with_, without = Architecture.parse(NET), Architecture.parse(PLAIN)
    ridge = {"initialiser": "assignment", "replicate": 0, "optimizer": "ridge", "alpha": 0.1}
    specs = [ensemble.NetworkSpec(net, **ridge) for net in (with_, without)]
    one, other = (ensemble.train([spec], x, y, seed=SEED)[0] for spec in specs)
    np.testing.assert_array_equal(one.params, other.params)
    np.testing.assert_array_equal(one.costs, other.costs)
    np.testing.assert_array_equal(*(ensemble.predict(net, one.params, x) for net in (with_, without)))
    np.testing.assert_array_equal(*(ensemble.gradients(net, one.params, x, y).x for net in (with_, without)))


@pytest.mark.parametrize(("batch_size", "has_masks"), [(None, True), (10, False), (50, False)])
def test_recorded_costs_have_masks_where_they_are_those_of_a_step(batch_size: int | None, has_masks: bool) -> None:
    problem = Problem(Architecture.parse(NET), 90, 2, 0, 0)
    spec = problem.spec(learning_rate=0.01, steps=1, batch_size=batch_size)
    [trained] = ensemble.train([spec], problem.x, problem.y, seed=SEED)
    without = naive.half_mse(problem.architecture, problem.weights, problem.x, problem.y)
    assert (relative(trained.costs[0], without) > 1e-3) == has_masks


def test_a_network_without_it_has_no_kernels_of_it() -> None:
    for lanes in (SAMPLES.name, NETWORKS.name):
        with_, without = (layout_of(Architecture.parse(text), 2).ops for text in (NET, PLAIN))
        assert dropout.dropout_kernels(lanes, with_) == [*dropout.PAIRS[lanes]]
        assert dropout.dropout_kernels(lanes, without) == []


@pytest.mark.parametrize("n", [5, 40])
def test_what_is_descended_is_the_gradient_of_the_cost_with_masks(n: int) -> None:
    """By central differences; networks in the lanes, and samples."""
    problem, rate, step = Problem(Architecture.parse(NET), n, 2, 0, 1), 1e-3, 1e-5
    masks = naive.Masks(naive.dropout_key(SEED, problem.replicate), 0, range(n))

    def cost(row: Array) -> float:
        tensors_ = iter(unflat(row, problem.weights))
        weights = list(zip(tensors_, tensors_, strict=True))
        return float(naive.half_mse(problem.architecture, weights, problem.x, problem.y, masks=masks).sum())

    start = flat(problem.weights)
    [trained] = ensemble.train([problem.spec(learning_rate=rate, steps=1)], problem.x, problem.y, seed=SEED)
    slopes = [(cost(start + move) - cost(start - move)) / (2 * step) for move in step * np.eye(len(start))]
    assert relative((start - trained.params) / rate, np.array(slopes)) < 1e-6
    assert trained.costs[0].sum() == pytest.approx(cost(start), rel=1e-12)
