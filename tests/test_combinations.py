"""What different rooms bring to training, all at once: against the oracle on every way, and bit for bit in company."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from shoal.kernels.ensemble import NetworkSpec, Samples, train_on
from shoal.kernels.network.architecture import Architecture
from tests import naive
from tests.fleet import DTYPES, bits
from tests.naive import Array, Cost, Stopping, Weights
from tests.problems import SEED, cast, flat, relative

NETWORK = Architecture.parse(
    "dense 9 > silu > dropout 0.3 > (skip | dense 6 > tanh > dense 9) > (gelu & dense 3) > dense 2"
)
WIDE = Architecture.parse("dense 128 > silu > dropout 0.2 > (dense 130 > tanh & skip) > dense 2")
BESIDE: dict[str, float] = {"l2": 0.05, "clip_norm": 0.3, "weight_decay": 0.1}
HUBER: dict[str, Any] = {"loss": "huber", "loss_hypers": (("delta", 0.5),)}
RATE, WARMUP = 0.1, 2
WAYS = [(NETWORK, 24, None), (NETWORK, 60, 1), (NETWORK, 60, 7), (NETWORK, 60, 40), (WIDE, 1100, None)]
"""Network, samples and batch size: networks in the lanes, and samples, one chunk and slice and several."""
EVERY_WAY = pytest.mark.parametrize(("architecture", "n", "batch_size"), WAYS)


def samples(n: int, seed: int, validation: Samples | None = None) -> Samples:
    """Weighted samples of a set of its own, which float32 holds exactly."""
    generator = np.random.default_rng([17, n, seed])
    arrays = generator.normal(size=(n, 2)), 3.0 * generator.normal(size=(n, 2)), generator.integers(1, 9, n)
    return Samples(*(np.asarray(array, np.float32).astype(float) for array in arrays), validation)


def spec(architecture: Architecture, batch_size: int | None, steps: int, **keys: Any) -> NetworkSpec:
    keys = {"schedule": "cosine", "warmup": WARMUP, "learning_rate": RATE, "steps": steps, "replicate": 1} | keys
    return NetworkSpec(architecture, "assignment", batch_size=batch_size, **BESIDE, **keys)


def period(n: int, batch_size: int | None) -> int:
    """Steps of an epoch, which under full batch is one."""
    return 1 if batch_size is None else -(-n // batch_size)


def descent(n: int, batch_size: int | None, steps: int) -> naive.Regularised:
    """The optimizer with what is beside it, at the rates of a cosine behind a warm-up."""
    per_epoch = period(n, batch_size)
    rates = naive.rates(RATE, "cosine", -(-steps // per_epoch), WARMUP)
    return naive.Regularised(naive.Momentum(0.0), [rates[step // per_epoch] for step in range(steps)], **BESIDE)


def oracle(
    architecture: Architecture, samples: Samples, batch_size: int | None, steps: int, dtype: str
) -> tuple[Weights, Array]:
    """Parameters and costs by the textbook, of Huber's loss."""
    x, y, cost = samples.x.astype(dtype), samples.y.astype(dtype), Cost("huber", 0.5, samples.weights)
    weights, n = cast(naive.initial_weights(architecture, 2, SEED, 1), dtype), len(x)
    own, dropout = descent(n, batch_size, steps), naive.dropout_key(SEED, 1)
    if batch_size is None:
        return naive.full_batch(architecture, weights, x, y, own, steps, cost, dropout)
    key = naive.shuffle_key(SEED, 1)
    return naive.minibatch(architecture, weights, x, y, own, steps, batch_size, key, cost, dropout)


@EVERY_WAY
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-12), ("float32", 1e-4)])
def test_dropout_and_a_weighted_loss_regularised_and_scheduled_on_data_of_its_own(
    dtype: str, tolerance: float, architecture: Architecture, n: int, batch_size: int | None
) -> None:
    """Each network is regularised by the gradient on its own data, beside others in the lanes."""
    datasets, steps = [samples(n, seed) for seed in range(3)], 8
    one = spec(architecture, batch_size, steps, optimizer="momentum", **HUBER)
    for got, own in zip(train_on([one] * 3, datasets, range(3), seed=SEED, dtype=dtype), datasets, strict=True):
        weights, costs = oracle(architecture, own, batch_size, steps, dtype)
        recorded = got.recorded_steps if batch_size is None else slice(None)
        assert relative(got.costs, costs[recorded]) <= tolerance
        assert relative(got.params, flat(weights)) <= tolerance


@EVERY_WAY
def test_early_stopping_with_dropout_a_schedule_and_a_clip(
    architecture: Architecture, n: int, batch_size: int | None
) -> None:
    """The validation cost is of the loss, without the penalty and without dropout."""
    steps, validation = 40, samples(45, 1)
    own = Samples(samples(n, 0).x, samples(n, 0).y, None, validation)
    one = spec(architecture, batch_size, steps, optimizer="momentum", patience=2, validate_every=3, **HUBER)
    [got] = train_on([one], [own], [0], seed=SEED)
    key, per_epoch = naive.shuffle_key(SEED, 1), period(n, batch_size)
    orders = [naive.shuffled(key, epoch, n) if batch_size else list(range(n)) for epoch in range(steps)]
    size = batch_size or n
    batches = [order[at : at + size] for order in orders for at in range(0, n, size)][:steps]
    every = 3 if batch_size is None else per_epoch
    stopping = Stopping(validation.x, validation.y, every, 2, cost=Cost("huber", 0.5, validation.weights))
    start = naive.initial_weights(architecture, 2, SEED, 1)
    training = architecture, start, own.x, own.y, descent(n, batch_size, steps), batches, stopping
    want, validated, costs = naive.watched(*training, Cost("huber", 0.5), naive.dropout_key(SEED, 1))
    assert got.validated_steps is not None and got.validation_costs is not None
    assert got.validated_steps.tolist() == validated
    assert relative(got.validation_costs, costs) <= 1e-10
    assert relative(got.params, flat(want)) <= 1e-10


@EVERY_WAY
@pytest.mark.parametrize("dtype", DTYPES)
def test_neither_company_nor_threads_nor_order_change_a_bit(
    dtype: str, architecture: Architecture, n: int, batch_size: int | None
) -> None:
    """Of networks that have some of it or all."""
    datasets = [samples(n, seed, samples(45, seed + 9)) for seed in range(2)]
    keys: list[dict[str, Any]] = [{}, HUBER, HUBER | {"patience": 1}, {"optimizer": "adamw"}, {"keep": "best"}]
    tasks = [(spec(architecture, batch_size, 8, **own), which) for own in keys for which in range(2)]
    alone = {task: bits(train_on([task[0]], datasets, [task[1]], seed=SEED, dtype=dtype)[0]) for task in tasks}
    mixed = [tasks[i] for i in np.random.default_rng(1).permutation(len(tasks))]
    for part, n_threads in ((tasks, 1), (mixed, 2)):
        runs = train_on(
            [one for one, _ in part], datasets, [k for _, k in part], seed=SEED, dtype=dtype, n_threads=n_threads
        )  # fmt: skip
        assert [bits(run) for run in runs] == [alone[task] for task in part]
