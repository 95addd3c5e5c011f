"""Early stopping and the best parameters, by the validation cost: against the oracle, and bit for bit in company."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import numba
import numpy as np
import pytest

from shoal.kernels.ensemble import NetworkSpec, Samples, train, train_on
from shoal.kernels.network.architecture import Architecture
from shoal.kernels.results import Trained
from shoal.kernels.training import run
from shoal.kernels.training.stopping import is_lowest, is_over, validation_steps, watches_of
from tests import naive
from tests.fleet import DTYPES, bits
from tests.naive import Array, Cost, Stopping
from tests.problems import SEED, flat, relative

NETWORK = Architecture.parse("dense 16 > tanh > dense 12 > tanh > dense 2")
WAYS = [(24, None), (150, None), (60, 1), (60, 7), (60, 40), (700, None)]
"""Samples and batch size: networks in the lanes, and samples, one chunk and several."""
EVERY_WAY = pytest.mark.parametrize(("n", "batch_size"), WAYS)


def data(n: int, seed: int = 0, n_validation: int = 45, weights: bool = False) -> Samples:
    """Much noise on little data, so that the validation cost rises after a while."""
    generator = np.random.default_rng([13, n, seed])

    def part(size: int) -> tuple[Array, Array, Array | None]:
        x = generator.normal(size=(size, 2))
        y = np.sin(x @ generator.normal(size=(2, 2))) + generator.normal(size=(size, 2))
        return x, y, generator.gamma(1.0, size=size) if weights else None

    return replace(Samples(*part(n)), validation=Samples(*part(n_validation)))


def spec(batch_size: int | None, replicate: int = 1, **keys: Any) -> NetworkSpec:
    keys = {"learning_rate": 0.05, "steps": 200, "patience": 3, "validate_every": 7} | keys
    return NetworkSpec(NETWORK, "assignment", replicate, batch_size=batch_size, **keys)


def trained(one: NetworkSpec, samples: Samples, dtype: str = "float64") -> Trained:
    return train_on([one], [samples], [0], seed=SEED, dtype=dtype)[0]


def period(n: int, batch_size: int | None) -> int:
    return -(-n // batch_size) if batch_size else 7


def batches(n: int, batch_size: int | None, steps: int, replicate: int = 1) -> list[list[int]]:
    """The samples of each step."""
    if batch_size is None:
        return [list(range(n))] * steps
    key, per_epoch = naive.shuffle_key(SEED, replicate), period(n, batch_size)
    orders = [naive.shuffled(key, epoch, n) for epoch in range(-(-steps // per_epoch))]
    return [order[at : at + batch_size] for order in orders for at in range(0, n, batch_size)][:steps]


@EVERY_WAY
@pytest.mark.parametrize("keys", [{}, {"min_delta": 0.02}, {"patience": 1}, {"patience": None, "keep": "best"}])
@pytest.mark.parametrize("weights", [False, True])
def test_it_stops_and_keeps_as_the_oracle(weights: bool, keys: dict[str, Any], n: int, batch_size: int | None) -> None:
    samples = replace(data(n, weights=weights), weights=None)
    assert samples.validation is not None
    one = spec(batch_size, **keys)
    stopping = Stopping(
        samples.validation.x,
        samples.validation.y,
        period(n, batch_size),
        one.patience or np.inf,
        one.min_delta,
        Cost(weights=samples.validation.weights),
    )
    want, steps, costs = naive.watched(
        NETWORK,
        naive.initial_weights(NETWORK, 2, SEED, 1),
        samples.x,
        samples.y,
        naive.GradientDescent(0.05),
        batches(n, batch_size, 200),
        stopping,
    )
    got = trained(one, samples)
    assert got.validated_steps is not None and got.validation_costs is not None
    assert got.validated_steps.tolist() == steps
    assert relative(got.validation_costs, costs) <= 1e-9
    assert relative(got.params, flat(want)) <= 1e-9
    assert got.stopped_step == (steps[-1] if steps[-1] < 200 else None)
    assert got.status == ("stopped" if steps[-1] < 200 else "finished")
    assert got.recorded_steps.max() <= steps[-1]


def test_the_runs_of_these_tests_end_in_every_way() -> None:
    """Else the others would say little."""
    stopped = [trained(spec(batch_size), data(n)).stopped_step for n, batch_size in WAYS]
    assert any(stopped) and len(set(stopped)) > 2
    best = [trained(spec(batch_size, patience=None, keep="best"), data(n)) for n, batch_size in WAYS]
    lowest = [int(run.validation_costs.sum(axis=1).argmin()) for run in best if run.validation_costs is not None]
    assert any(0 < at < 200 // 7 for at in lowest)
    assert all(run.stopped_step is None for run in best)


@EVERY_WAY
def test_up_to_where_it_stops_it_is_the_run_that_is_not_watched(n: int, batch_size: int | None) -> None:
    """Bit for bit: validation costs leave the training alone."""
    samples = data(n)
    got, plain = trained(spec(batch_size), samples), trained(spec(batch_size, patience=None), samples)
    kept = plain.recorded_steps <= (got.stopped_step or 200)
    assert got.recorded_steps.tolist() == plain.recorded_steps[kept].tolist()
    assert got.costs.tobytes() == plain.costs[kept].tobytes()
    assert plain.validated_steps is plain.validation_costs is None


@EVERY_WAY
@pytest.mark.parametrize("dtype", DTYPES)
def test_company_order_and_threads_do_not_matter(dtype: str, n: int, batch_size: int | None) -> None:
    """Networks that stop at different steps on data of their own, beside some that diverge or are not watched."""
    datasets = [data(n, seed) for seed in range(3)]
    keys: list[dict[str, Any]] = [
        {},
        {"patience": None},
        {"patience": None, "keep": "best"},
        {"patience": 1},
        {"min_delta": 0.05, "steps": 150},
        {"learning_rate": 1e10},
        {"optimizer": "adam"},
    ]
    tasks = [(spec(batch_size, replicate, **own), k) for own, replicate, k in product(keys, range(2), range(3))]
    alone = {task: bits(trained(task[0], datasets[task[1]], dtype)) for task in tasks}
    shuffled = [tasks[i] for i in np.random.default_rng(1).permutation(len(tasks))]
    for part, n_threads in ((tasks, 1), (shuffled, 2), (shuffled[::2], 3)):
        of = [k for _, k in part]
        runs = train_on([one for one, _ in part], datasets, of, seed=SEED, dtype=dtype, n_threads=n_threads)
        assert [bits(run) for run in runs] == [alone[task] for task in part]


@EVERY_WAY
def test_networks_that_differ_in_steps_alone_get_what_they_would_alone(n: int, batch_size: int | None) -> None:
    """The last step of each is validated, which is no validation of a longer run."""
    samples = data(n)
    specs = [spec(batch_size, steps=steps, keep="best", patience=patience) for patience in (None, 2) for steps in
             (3, 20, 61, 200)]  # fmt: skip
    together = train_on(specs, [samples], [0] * len(specs), seed=SEED)
    assert [bits(run) for run in together] == [bits(trained(one, samples)) for one in specs]
    assert [run.validated_steps[-1] for run in together[:4] if run.validated_steps is not None] == [3, 20, 61, 200]


def test_a_network_that_diverges_is_diverged_whatever_was_best() -> None:
    for n, batch_size in WAYS:
        got = trained(spec(batch_size, learning_rate=1e200, patience=50), data(n))
        assert got.status == "diverged" and got.stopped_step is None
        assert got.validated_steps is not None and (got.validated_steps < (got.diverged_step or 0)).all()


def test_no_validation_pass_is_made_where_nobody_asks_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = []
    pack = run.pack
    monkeypatch.setattr(run, "pack", lambda *arguments: packed.append(pack(*arguments)) or packed[-1])
    samples = data(60)
    for one in (spec(7, patience=None), spec(None, patience=None), spec(7)):
        trained(one, samples)
    assert [int(fleet.jobs["n_validations"].sum()) for fleet in packed] == [0, 0, 200 // 9 + 2]
    assert [bool(fleet.jobs["add_validation_cost"].any()) for fleet in packed] == [False, False, True]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"keep": "first"}, "keep 'first' is none; allowed: last, best"),
        ({"patience": 0}, "patience 0 is not a whole number of 1 or more"),
        ({"patience": 2.5}, "patience 2.5 is not a whole number"),
        ({"min_delta": -0.1}, "min_delta -0.1 is not a finite number of 0 or more"),
        ({"min_delta": np.nan}, "min_delta nan is not a finite number"),
        ({"validate_every": 0}, "validate_every 0 is not a whole number of 1 or more"),
        ({"optimizer": "ridge", "alpha": 1.0, "steps": None}, "ridge makes no steps: it has no patience"),
    ],
)
def test_stopping_that_there_is_not_is_an_error(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        trained(spec(None, **keys), data(24))


def test_validation_samples_that_are_missing_or_do_not_fit_are_an_error() -> None:
    samples = data(24)
    assert samples.validation is not None
    with pytest.raises(ValueError, match="data set 0 has no validation samples, which NetworkSpec"):
        train([spec(None)], samples.x, samples.y, seed=SEED)
    narrow = replace(samples, validation=Samples(samples.validation.x[:, :1], samples.validation.y))
    with pytest.raises(ValueError, match="validation has 1 inputs and 2 outputs; x has 2 and y 2"):
        trained(spec(None), narrow)
    with pytest.raises(ValueError, match="validation: x has 45 samples and y has 3"):
        trained(spec(None), replace(samples, validation=Samples(samples.validation.x, samples.y[:3])))


@numba.njit
def seen(watch: Any, costs: Any) -> Any:
    return [(is_lowest(watch, costs[k], k == 0), is_over(watch)) for k in range(len(costs))]


def test_a_network_waits_while_nothing_improves_by_more_than_min_delta() -> None:
    """The lowest cost is kept although it is no improvement; NaN is neither."""
    got = seen(watches_of(np.array([3.0]), np.array([0.5]))[0], np.array([5.0, 4.8, 4.0, 3.9, np.nan, 4.1]))
    assert got == [(True, False), (True, False), (True, False), (True, False), (False, False), (False, True)]


@pytest.mark.parametrize(
    ("batch_size", "want"),
    [(None, (0, 4, 8, 9)), (5, (0, 3, 6, 9)), (12, (*range(9), 9)), (1, (0, 9))],
)
def test_validation_costs_are_taken_at_the_ends_of_epochs(batch_size: int | None, want: tuple[int, ...]) -> None:
    assert validation_steps(9, batch_size, 12, every=4) == want
