"""Steps of every optimizer, by its kernels for both meanings of the lanes, against the oracle's."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from shoal.kernels.compile.warmup import load_all
from shoal.kernels.simd.lanes import NETWORKS, SAMPLES, Lanes
from shoal.kernels.simd.memory import filled
from shoal.kernels.training.fleet import ALIGNMENT
from shoal.kernels.training.optimizers import OPTIMIZERS
from shoal.kernels.training.update import NUMBERS, PAIRS
from tests import naive
from tests.naive import Array

STEPS, PARTS, SIZE = 3, 3, 3 * ALIGNMENT
ROUNDINGS = 40
"""Of what three steps move a parameter by, at most, where nothing cancels."""
RATES = np.array([0.5, 0.25, 0.125, 0.0625, 1.0, 2.0, 0.75, 0.375])
CASES = list(product(OPTIMIZERS, (SAMPLES, NETWORKS), ("float64", "float32")))


def test_every_optimizer_has_a_step_in_the_oracle() -> None:
    assert set(naive.OPTIMIZERS) == set(OPTIMIZERS)


def gradients(group: int, dtype: str) -> Array:
    """(STEPS, PARTS, SIZE, group), of one sign for each parameter, so that no sum cancels."""
    generator = np.random.default_rng(0)
    signs = generator.choice([-1.0, 1.0], (SIZE, group))
    return (signs * np.exp(generator.normal(size=(STEPS, PARTS, SIZE, group)))).astype(dtype)


def stepped(name: str, lanes: Lanes, start: Array, grads: Array) -> Array:
    """The parameters (STEPS, SIZE, group) after each step; gradients come in parts, and states begin with 0."""
    dtype, optimizer, own = start.dtype, OPTIMIZERS[name], PAIRS[lanes.name, name]
    load_all([(kernel, dtype) for kernel in own if kernel])
    params, states = filled(start, dtype), filled(np.zeros(max(1, optimizer.n_states) * start.size), dtype)
    rates, numbers = filled(RATES, dtype), np.zeros(NUMBERS)
    hypers = np.array([*optimizer.hypers.values(), 0.0]).view(np.int64)
    after = []
    for t, parts in enumerate(grads, start=1):
        if own.numbers:
            own.numbers(dtype, t, hypers, numbers)
        step = (params, start.size, filled(parts, dtype), PARTS, start.size, states, start.size, rates, numbers)
        own.update(dtype, *step)
        after.append(params.reshape(start.shape).copy())
    return np.array(after)


def exact(name: str, start: Array, grads: Array) -> Array:
    """The same by the oracle, in more digits, each network with its own rate."""
    after = []
    for lane in range(start.shape[1]):
        optimizer, weights = naive.OPTIMIZERS[name](float(RATES[lane])), [(start[:, lane], start[:0, lane])]
        for parts in grads:
            weights = optimizer.step(weights, [(parts[:, :, lane].sum(axis=0), start[:0, lane])])
            after.append(weights[0][0])
    return np.array(after).reshape(start.shape[1], STEPS, SIZE).transpose(1, 2, 0)


@pytest.mark.parametrize(("name", "lanes", "dtype"), CASES, ids=lambda case: getattr(case, "name", case))
def test_every_step_is_the_oracles(name: str, lanes: Lanes, dtype: str) -> None:
    group, unit = lanes.group, np.finfo(dtype).eps / 2
    start = np.random.default_rng(1).normal(size=(SIZE, group)).astype(dtype)
    grads = gradients(group, dtype)
    got = stepped(name, lanes, start, grads)
    want = exact(name, start.astype(np.longdouble), grads.astype(np.longdouble))
    path = np.concatenate([start[None].astype(np.longdouble), want])
    moved, largest = abs(np.diff(path, axis=0)).cumsum(axis=0), abs(path).max(axis=0)
    assert (moved > 0).all()
    assert np.all(abs(got - want) <= ROUNDINGS * unit * moved + 2 * STEPS * unit * largest)
