"""Networks that are kept on their way go on to the same bits, whatever they stood beside and wherever they stopped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from shoal.kernels.ensemble import NetworkSpec, Replicates, Results, Samples, train_replicates
from shoal.kernels.longer import begun_by, can_go_on
from shoal.kernels.training import run
from shoal.kernels.training.begun import Begun
from tests.fleet import (
    BESIDE,
    DATA,
    FEW,
    MANY,
    N_SAMPLES,
    NETWORKS,
    WIDE,
    bits,
    fleet,
    rates_of_replicates,
    readouts,
    spec,
)
from tests.problems import SEED

Kept = list[tuple[int, tuple[int, ...], np.ndarray, Begun]]
VALIDATED: tuple[dict[str, Any], ...] = (
    {"keep": "best"},
    {"keep": "best", "learning_rate": 2.0},
    {"keep": "best", "patience": 2, "min_delta": 0.05},
    {"patience": 3, "schedule": "step", "hypers": (("every", 2), ("gamma", 0.5))},
)
BATCHES = (None, 1, 7, 64)


class Keeper:
    """Keeps all that it was ever given, and has one of these, the nth."""

    def __init__(self, given: Kept | None = None, seconds: float = 1e9) -> None:
        self.seconds, self.given, self.all = seconds, given or [], list[Kept]()

    def begun(
        self, places: tuple[int, ...], steps: tuple[int, ...], numbers: np.ndarray
    ) -> list[tuple[np.ndarray, Begun]]:
        found = []
        for which, its_steps, own, begun in self.given:
            if (which, its_steps) == (places[-1], steps):
                at = [np.flatnonzero((begun.steps == step) & np.isin(own, numbers)) for step in np.unique(begun.steps)]
                found += [(own[places], begun.taken(places)) for places in at if len(places)]
        return found

    def keep(self, networks: Kept) -> None:
        self.all.append([(*of, numbers.copy(), Begun(*map(np.copy, begun))) for *of, numbers, begun in networks])


def networks(n: int) -> list[NetworkSpec]:
    """Of every way, optimizer and kind, and some that differ in steps alone."""
    text, batches = (WIDE, (None, 700)) if n == MANY else (NETWORKS[5], BATCHES if n == N_SAMPLES else (None,))
    steps, beside = {FEW: (600, BESIDE), N_SAMPLES: (60, BESIDE), MANY: (4, BESIDE[:1])}[n]
    found = fleet((text,), batches, steps) + fleet((text,), batches, steps // 2) + readouts((text,))
    optimizers = ("gd", "nesterov", "adagrad", "rmsprop", "adamw")
    keys = [*beside, *VALIDATED]
    found += rates_of_replicates((text,), (7,), steps) if n == N_SAMPLES else []
    return found + [
        spec(text, k, optimizer=optimizers[k % 5], batch_size=batch_size, **{"steps": steps, **own})
        for batch_size in batches
        for k, own in enumerate(keys)
    ]


def trained(specs: Sequence[NetworkSpec], n: int, dtype: str, **options: Any) -> list[Results]:
    alike: dict[NetworkSpec, list[int]] = {}
    for one in specs:
        alike.setdefault(replace(one, replicate=0), []).append(one.replicate)
    wanted = [Replicates(one, np.unique(numbers)) for one, numbers in alike.items()]
    x, y = DATA[n]
    samples = Samples(x, y, validation=Samples(x[:40], y[::-1][:40]))
    return train_replicates(wanted, [samples], [0] * len(wanted), seed=SEED, dtype=dtype, **options)


def all_bits(results: Sequence[Results]) -> list[Any]:
    return [bits(own.network(i)) for own in results for i in range(len(own))]


@pytest.mark.parametrize(
    ("n", "dtype"),
    [(FEW, "float64"), (FEW, "float32"), (N_SAMPLES, "float64"), (N_SAMPLES, "float32"), (MANY, "float32")],
)
def test_networks_that_go_on_have_the_bits_of_those_that_never_stopped(
    n: int, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "PAUSES", 1e9)
    specs = networks(n)
    want = all_bits(trained(specs, n, dtype))
    pausing = Keeper(seconds=0.0)
    assert all_bits(trained(specs, n, dtype, keeper=pausing)) == want
    steps = {int(step) for kept in pausing.all for _, _, _, begun in kept for step in begun.steps}
    assert len(steps) > 1
    assert all_bits(trained(specs, n, dtype, keeper=Keeper(pausing.all[len(pausing.all) // 2]), n_threads=1)) == want


class Shorter(Keeper):
    """Has what shorter runs of the networks ended with."""

    def __init__(self, results: Sequence[Results]) -> None:
        super().__init__()
        self._results = results
        self.goes_on = 0

    def begun(
        self, places: tuple[int, ...], steps: tuple[int, ...], numbers: np.ndarray
    ) -> list[tuple[np.ndarray, Begun]]:
        goes_on, begun = begun_by(self._results[places[-1]], steps)
        self.goes_on += int(goes_on.sum())
        return [(numbers[goes_on], begun)] if goes_on.any() else []


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("n", [FEW, N_SAMPLES, MANY])
def test_a_longer_run_goes_on_where_a_shorter_one_ended(n: int, dtype: str) -> None:
    steps, text = {FEW: 60, N_SAMPLES: 30, MANY: 4}[n], WIDE if n == MANY else NETWORKS[5]
    beside = [spec(text, k, steps=steps, **keys) for k, keys in enumerate(BESIDE)]
    longer = [one for one in fleet((text,), (None,), steps) + beside if can_go_on(one)]
    assert {one.schedule for one in longer} == {"constant", "exponential", "step"}
    shorter = [replace(one, steps=steps // 2) for one in longer]
    keeper = Shorter(trained(shorter, n, dtype))
    assert all_bits(trained(longer, n, dtype, keeper=keeper)) == all_bits(trained(longer, n, dtype))
    assert 0 < keeper.goes_on < len(longer), "those that diverged begin anew"


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({}, True),
        ({"l2": 0.1, "clip_norm": 1.0, "weight_decay": 0.1, "warmup": 3}, True),
        ({"schedule": "step", "hypers": (("every", 2),)}, True),
        ({"schedule": "cosine"}, False),
        ({"batch_size": 8}, False),
        ({"optimizer": "momentum"}, False),
        ({"keep": "best"}, False),
        ({"optimizer": "ridge", "alpha": 0.1, "learning_rate": None, "steps": None}, False),
    ],
)
def test_all_that_it_goes_on_from_is_what_a_shorter_run_leaves(keys: dict[str, Any], expected: bool) -> None:
    assert can_go_on(spec(**keys)) is expected
