"""The cost of a tile and its derivative, of every loss: against the oracle, for all numbers of samples from 1 to 70."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from itertools import product

import numpy as np
import pytest

from shoal.kernels.compile.host import HOST
from shoal.kernels.compile.linked import kernels
from shoal.kernels.compile.warmup import load_all
from shoal.kernels.network import cost, losses
from shoal.kernels.network.architecture import Architecture
from shoal.kernels.network.losses import squared
from shoal.kernels.simd.lanes import GROUP, NETWORKS, SAMPLES, Lanes
from shoal.kernels.simd.memory import filled
from tests import naive
from tests.naive import Array

N_OUTPUTS = 3
ROUNDINGS = 8
"""Of a residual, its cost and its slope, at most."""


def half_mse(y_hat: Array, y: Array) -> tuple[Array, Array]:
    """The oracle's cost per output, and its derivative: of a network that hands on what it sees."""
    architecture, weights = Architecture.parse(f"dense {N_OUTPUTS}"), [(np.eye(N_OUTPUTS), np.zeros(N_OUTPUTS))]
    return naive.half_mse(architecture, weights, y_hat, y), naive.gradients(architecture, weights, y_hat, y).a[-1]


ORACLES: dict[str, Callable[[Array, Array], tuple[Array, Array]]] = {"squared": half_mse}


def test_every_loss_has_an_oracle() -> None:
    assert [file.name for file in pkgutil.iter_modules(losses.__path__)] == list(ORACLES)


def test_the_slope_is_that_of_the_cost() -> None:
    r, step = np.linspace(-3.0, 3.0, 61), 1e-5
    slopes = (squared.cost(r + step) - squared.cost(r - step)) / (2.0 * step)
    np.testing.assert_allclose(squared.slope(r), slopes, rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    ("lanes", "dtype"),
    list(product((SAMPLES, NETWORKS), ("float64", "float32"))),
    ids=lambda kind: getattr(kind, "name", kind),
)
def test_cost_and_derivative_agree_with_the_oracle(lanes: Lanes, dtype: str) -> None:
    """What stands behind the samples counts nothing, and its derivative is 0; costs are added to what is there."""
    assert cost.loss
    run, group, unit = kernels[lanes.name, "add_cost"], lanes.group, np.finfo(dtype).eps / 2
    load_all([(run, np.dtype(dtype))])
    width = max(group, HOST.vector_bytes // np.dtype(dtype).itemsize)
    for n in range(1, 71 if lanes is SAMPLES else 33):
        used = -(-n * group // width) * width
        ld, y_ld = used + width, used + 2 * width
        generator = np.random.default_rng(n)
        y_hat, y = (np.full((N_OUTPUTS, size), np.nan, dtype) for size in (ld, y_ld))
        dy, costs = np.full((N_OUTPUTS, ld), 7.0, dtype), filled(np.ones(N_OUTPUTS * group), np.float64)
        for rows in (y_hat, y):
            rows[:, : n * group] = generator.normal(size=(N_OUTPUTS, n * group))
        run(np.dtype(dtype), y_hat, ld, y, y_ld, N_OUTPUTS, n * group, used, 1.0 / n, costs, dy)
        for lane in range(group):
            own = [rows[:, lane : n * group : group].T.astype(np.longdouble) for rows in (y_hat, y)]
            want, slopes = half_mse(*own)
            sizes = abs(own[0]) + abs(own[1])
            assert np.all(abs(dy[:, lane : n * group : group].T - slopes) <= ROUNDINGS * unit * sizes / n)
            largest = 1 + (sizes**2).mean(axis=0)
            assert np.all(abs(costs[lane::group] - 1 - want) <= ROUNDINGS * unit * largest)
        assert (dy[:, n * group : used] == 0).all() and (dy[:, used:] == 7).all()
        assert len(costs) == N_OUTPUTS * group and GROUP % group == 0
