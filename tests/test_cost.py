"""The cost of a tile and its derivative, of every loss: against the oracle, for all numbers of samples from 1 to 70."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from shoal.kernels.compile.host import HOST
from shoal.kernels.compile.warmup import load_all
from shoal.kernels.network.cost import COSTS
from shoal.kernels.network.losses import LOSSES
from shoal.kernels.simd.lanes import NETWORKS, SAMPLES, Lanes
from shoal.kernels.simd.memory import filled
from tests.naive import Array, Cost

N_OUTPUTS = 3
ROUNDINGS = 16
"""Of a residual or of exp and log, of a weight, a cost and its slope, at most."""
CASES = list(product((SAMPLES, NETWORKS), LOSSES, (False, True), ("float64", "float32")))


def numbers(loss: str, n: int, group: int, dtype: str) -> tuple[Array, Array, Array]:
    """y_hat and y (N_OUTPUTS, n, group), and weights (n, group) of mean 1."""
    generator = np.random.default_rng(n)
    y_hat, y = generator.normal(size=(2, N_OUTPUTS, n, group))
    if loss == "cross_entropy":
        y = np.exp(y) / np.exp(y).sum(axis=0)
    weights = generator.gamma(2.0, size=(n, group))
    return y_hat.astype(dtype), y.astype(dtype), (weights / weights.mean(axis=0)).astype(dtype)


@pytest.mark.parametrize(
    ("lanes", "loss", "is_weighted", "dtype"), CASES, ids=lambda kind: str(getattr(kind, "name", kind))
)
def test_cost_and_derivative_agree_with_the_oracle(lanes: Lanes, loss: str, is_weighted: bool, dtype: str) -> None:
    """What stands behind the samples counts nothing, and its derivative is 0; costs are added to what is there."""
    run, group, unit = COSTS[lanes.name, loss, is_weighted], lanes.group, np.finfo(dtype).eps / 2
    load_all([(run, np.dtype(dtype))])
    own = LOSSES[loss].hypers_of(())
    width = max(group, HOST.vector_bytes // np.dtype(dtype).itemsize)
    for n in range(1, 71 if lanes is SAMPLES else 33):
        used = -(-n * group // width) * width
        ld, y_ld = used + width, used + 2 * width
        y_hat, y, weights = numbers(loss, n, group, dtype)
        rows, targets = np.full((N_OUTPUTS, ld), np.nan, dtype), np.full((N_OUTPUTS + 1, y_ld), 0.5, dtype)
        rows[:, : n * group], targets[:-1, : n * group] = y_hat.reshape(3, -1), y.reshape(3, -1)
        targets[-1, : n * group] = weights.ravel()
        dy, costs = np.full((N_OUTPUTS, ld), 7.0, dtype), filled(np.ones(N_OUTPUTS * group), np.float64)
        total, also_dy = filled(np.ones(group), np.float64), np.full_like(dy, 7.0)
        given = (rows, ld, targets, y_ld, N_OUTPUTS, n * group, used, 1.0 / n, np.array([*own, 0.0]))
        run(np.dtype(dtype), *given, costs, 1, dy)
        run(np.dtype(dtype), *given, total, 0, also_dy)
        np.testing.assert_array_equal(also_dy, dy)
        want = costs.reshape(N_OUTPUTS, group).sum(axis=0) - N_OUTPUTS
        np.testing.assert_allclose(total - 1, want, ROUNDINGS * unit, ROUNDINGS * unit * N_OUTPUTS)
        got = dy[:, : n * group].reshape(N_OUTPUTS, n, group)
        for lane in range(group):
            a, b, w = (values[..., lane].astype(np.longdouble) for values in (y_hat, y, weights))
            w = w if is_weighted else np.ones_like(w)
            oracle = Cost(loss, own[0] if own else np.nan, w)
            size = (1 + abs(a) + abs(b)) * w
            assert np.all(abs(got[:, :, lane] - oracle.slope(a.T, b.T).T) <= ROUNDINGS * unit * size / n)
            largest = 1 + ((1 + abs(a) + abs(b)) ** 2 * w).mean(axis=1)
            assert np.all(abs(costs[lane::group] - 1 - oracle.of(a.T, b.T)) <= ROUNDINGS * unit * largest)
        assert (dy[:, n * group : used] == 0).all() and (dy[:, used:] == 7).all()
