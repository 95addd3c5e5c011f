"""Random streams and shuffles."""

from __future__ import annotations

import numba
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from shoal.kernels import ensemble
from shoal.kernels import streams as rng
from shoal.kernels.entropy import seed_sequence, stream
from shoal.kernels.network.architecture import Architecture
from tests import naive
from tests.naive import Array
from tests.problems import SEED, Problem, relative

KEYS = st.integers(0, 2**64 - 1)
EPOCHS = st.integers(0, 2**31)


@numba.njit  # type: ignore[misc,unused-ignore]
def shuffle(key, epoch, order, n):  # type: ignore[no-untyped-def]
    """The kernel, which Python cannot call."""
    rng.shuffle(key, epoch, order, n)


def shuffled(key: int, epoch: int, n: int) -> Array:
    """The order of an epoch by the kernels."""
    order = np.empty(n, np.int64)
    shuffle(np.uint64(key), epoch, order, n)
    return order


@settings(deadline=None)
@given(key=KEYS, epoch=EPOCHS, n=st.integers(1, 300))
def test_a_shuffle_is_the_textbooks_permutation(key: int, epoch: int, n: int) -> None:
    order = shuffled(key, epoch, n)
    assert sorted(order) == list(range(n))
    assert order.tolist() == naive.shuffled(key, epoch, n)


@settings(deadline=None)
@given(key=KEYS, epoch=EPOCHS, later=st.integers(1, 1000))
def test_epochs_and_keys_have_orders_of_their_own(key: int, epoch: int, later: int) -> None:
    order = shuffled(key, epoch, 100)
    assert (order != shuffled(key, epoch + later, 100)).any()
    assert (order != shuffled((key + later) % 2**64, epoch, 100)).any()


def test_every_sample_comes_in_every_place_equally_often() -> None:
    n, epochs = 8, 40_000
    counts = np.zeros((n, n))
    for epoch in range(epochs):
        counts[np.arange(n), shuffled(12345, epoch, n)] += 1
    expected = epochs / n
    chi_square = ((counts - expected) ** 2 / expected).sum()
    assert chi_square < 98.0  # 49 degrees of freedom: mean 49, standard deviation 10


@settings(deadline=None)
@given(seed=st.integers(0, 2**40), purpose=st.sampled_from(["init", "shuffle"]), replicate=st.integers(0, 10**6))
def test_streams_depend_on_seed_purpose_and_replicate(seed: int, purpose: str, replicate: int) -> None:
    numbers = stream(seed, purpose, replicate).uniform(size=4)
    assert (numbers == stream(seed, purpose, replicate).uniform(size=4)).all()
    for key in ((seed + 1, purpose, replicate), (seed, purpose + "s", replicate), (seed, purpose, replicate + 1)):
        assert (numbers != stream(*key).uniform(size=4)).all()
    keys = rng.shuffle_keys(seed, np.array([replicate, 2**32 + replicate, 0]))[:2].tolist()
    assert keys == [naive.shuffle_key(seed, n) for n in (replicate, 2**32 + replicate)]
    [key] = rng.dropout_keys(seed, np.array([replicate])).tolist()
    assert key == int(seed_sequence(seed, "dropout", replicate).generate_state(1, np.uint64)[0])


def test_a_replicate_sees_the_same_shuffles_whatever_its_rate_and_steps() -> None:
    """After one sample a line has moved along that sample: what it moved by tells which sample it was."""
    problem = Problem(Architecture.parse("dense 1"), 50, 2, 0, 7)
    specs = [
        problem.spec(learning_rate=rate, batch_size=1, steps=steps)
        for rate, steps in ((1e-3, 1), (1e-3, 30), (1e-2, 1), (1e-2, 30))
    ]
    slow, slow_and_long, fast, fast_and_long = ensemble.train(specs, problem.x, problem.y, seed=SEED)
    [(W, b)] = problem.weights
    start = np.concatenate([W.ravel(), b])
    assert relative((fast.params - start) / 10, slow.params - start) <= 1e-12
    first = naive.shuffled(naive.shuffle_key(SEED, 7), 0, 50)[0]
    direction = (slow.params - start)[:2] / (slow.params - start)[2]
    assert relative(direction, problem.x[first]) <= 1e-10
    assert (slow_and_long.params != slow.params).all()
    assert (fast_and_long.params != fast.params).all()
