"""Every network may have data of its own: cross-validation, bootstrap and a network per target in one call."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from shoal.kernels.ensemble import NetworkSpec, Replicates, Samples, train, train_on, train_replicates
from shoal.kernels.training.data import pack_data
from tests.fleet import DTYPES, MANY, N_SAMPLES, Bits, bits, samples, spec
from tests.problems import SEED

CELLS = (
    {"batch_size": 1, "learning_rate": 0.01},
    {"batch_size": 7, "learning_rate": 0.01},
    {"batch_size": 7, "learning_rate": 10.0},
    {"batch_size": 7, "learning_rate": 0.001, "optimizer": "adam"},
    {"batch_size": 40, "learning_rate": 0.01},
    {"learning_rate": 0.01},
    {"learning_rate": 0.001, "optimizer": "adam"},
    {"optimizer": "ridge", "alpha": 0.1, "learning_rate": None, "steps": None},
)
"""Every way to train, and one that diverges."""
REPLICATES = range(4)
Task = tuple[NetworkSpec, int]


def folds(n: int, k: int) -> list[Samples]:
    """The training parts of k-fold cross-validation, which are not all of one size."""
    x, y = samples(n)
    fold = np.arange(n) % k
    return [Samples(x[fold != part], y[fold != part]) for part in range(k)]


def resampled(n: int, k: int) -> list[Samples]:
    """Bootstrap replicas: rows drawn with repetition."""
    x, y = samples(n)
    drawn = (np.random.default_rng([7, part]).integers(0, n, n) for part in range(k))
    return [Samples(x[rows], y[rows]) for rows in drawn]


DATASETS = {"5 folds": folds(N_SAMPLES + 2, 5), "5 replicas": resampled(60, 5), "2 large folds": folds(MANY + 600, 2)}


def trained(datasets: list[Samples], tasks: list[Task], dtype: str = "float64", **options: int) -> list[Bits]:
    specs, of = [spec for spec, _ in tasks], [which for _, which in tasks]
    return [bits(one) for one in train_on(specs, datasets, of, seed=SEED, dtype=dtype, **options)]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", DATASETS)
def test_one_call_gives_bit_for_bit_what_a_call_for_each_network_gives(name: str, dtype: str) -> None:
    """8 cells of 4 replicates on every data set, all at once, in any order and company, on any threads."""
    datasets = DATASETS[name]
    tasks = [
        (spec(replicate=replicate, **cell), which)
        for which, cell, replicate in product(range(len(datasets)), CELLS, REPLICATES)
    ]
    alone = {
        (one, which): bits(train([one], datasets[which].x, datasets[which].y, seed=SEED, dtype=dtype)[0])
        for one, which in tasks
    }
    order = [tasks[i] for i in np.random.default_rng(3).permutation(len(tasks))]
    for part in (tasks, order, order[::2]):
        assert trained(datasets, part, dtype) == [alone[task] for task in part]
    for n_threads in (1, 2, 3):
        assert trained(datasets, tasks, dtype, n_threads=n_threads) == list(alone.values())


def test_data_sets_may_differ_in_features_and_outputs() -> None:
    x, y = samples(N_SAMPLES)
    datasets = [Samples(np.hstack([x, x * x]), y), Samples(x, y[:, :1]), Samples(x[:9], y[:9])]
    tasks = [
        (spec(f"dense 5 > tanh > dense {one.y.shape[1]}", batch_size=batch_size, optimizer=optimizer), which)
        for which, one in enumerate(datasets)
        for batch_size, optimizer in product((None, 4), ("gd", "adam"))
    ]
    alone = [bits(train([one], datasets[which].x, datasets[which].y, seed=SEED)[0]) for one, which in tasks]
    assert trained(datasets, tasks) == alone


def test_one_network_for_each_target_has_its_inputs_in_common() -> None:
    """Equal arrays are packed once, whether or not they are one object; eight targets train side by side."""
    x, y = samples(N_SAMPLES)
    alike, other = [Samples(x.copy(), y[:, k : k + 1]) for k in (0, 1)], Samples(x + 1, y[:, :1])
    data = pack_data([*alike, other], np.dtype(float))
    assert data.sets[0, 0] == data.sets[1, 0] != data.sets[2, 0]
    ld = int(data.sets[0, 3])
    assert data.values.size == ld * (2 + 1 + 1 + 2)
    for row, one in zip(data.sets, (*alike, other), strict=True):
        packed = data.values[row[0] : row[0] + 2 * ld].reshape(2, ld)
        np.testing.assert_array_equal(packed[:, :N_SAMPLES].T, one.x)
        assert (packed[:, N_SAMPLES:] == one.x[-1][:, None]).all()


def test_a_network_that_diverges_leaves_those_on_other_data_alone() -> None:
    """They stand side by side in the lanes."""
    datasets = resampled(30, 8)
    wild = Samples(datasets[0].x * 1e150, datasets[0].y * 1e150)
    tasks = [(spec(batch_size=4), which) for which in range(8)]
    healthy = trained(datasets, tasks)
    mixed = trained([*datasets[:4], wild, *datasets[5:]], tasks)
    assert mixed[4][-1] is not None
    assert mixed[:4] + mixed[5:] == healthy[:4] + healthy[5:]


@pytest.mark.parametrize("of", [[0], [0, 2], [0, -1]])
def test_a_data_set_that_there_is_not_is_an_error(of: list[int]) -> None:
    datasets = folds(20, 2)
    wanted = [Replicates(spec(), np.arange(2))] * 2
    for call in (lambda: train_on([spec()] * 2, datasets, of, seed=SEED),
                 lambda: train_replicates(wanted, datasets, of, seed=SEED)):  # fmt: skip
        with pytest.raises(ValueError, match="it has to name one of the 2 data sets, from 0 on, for each of 2 specs"):
            call()
