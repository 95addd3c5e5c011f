"""Learning rates from epoch to epoch, and what is trained once although it is asked for with several steps."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shoal.kernels import ensemble
from shoal.kernels.training.schedules import SCHEDULES, Rates, factors, rates_of
from tests import naive
from tests.fleet import bits, spec, train

NUMBERS: dict[str, dict[str, float]] = {
    "constant": {},
    "step": {"every": 3, "gamma": 0.5},
    "exponential": {"gamma": 0.9},
    "cosine": {},
}


@pytest.mark.parametrize("schedule", SCHEDULES)
@given(n=st.integers(1, 60), warmup=st.integers(0, 70), rate=st.floats(1e-6, 1e3))
def test_rates_are_those_of_the_oracle(schedule: str, n: int, warmup: int, rate: float) -> None:
    """Also where a run ends within its warm-up."""
    numbers = NUMBERS[schedule]
    got = factors(Rates(schedule, tuple(numbers.values()), warmup, n))
    want = naive.rates(rate, schedule, n, warmup, **numbers)
    np.testing.assert_allclose(rate * np.append(got, [got[-1]] * (n - len(got))), want, rtol=1e-14)


def test_a_constant_rate_takes_no_table_of_its_epochs() -> None:
    assert factors(Rates(n_epochs=10**12)).tolist() == [1.0]
    assert factors(Rates(warmup=3, n_epochs=10**12)).tolist() == [0.25, 0.5, 0.75, 1.0]


def test_a_rate_that_grows_beyond_all_numbers_is_infinite() -> None:
    assert factors(Rates("exponential", (1e200,), 0, 3)).tolist() == [1.0, 1e200, np.inf]


@pytest.mark.parametrize(("batch_size", "n_epochs"), [(None, 100), (50, 34), (149, 50), (150, 100), (1, 1)])
def test_an_epoch_is_a_step_under_full_batch_and_may_be_cut_short(batch_size: int | None, n_epochs: int) -> None:
    assert rates_of(spec(batch_size=batch_size), 100, 150).n_epochs == n_epochs


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("batch_size", [None, 10])
def test_networks_that_differ_in_steps_are_trained_once_where_their_rates_agree(
    schedule: str, batch_size: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They find what they find alone, whichever way they are trained."""
    keys: dict[str, Any] = {"schedule": schedule, "warmup": 2, "hypers": tuple(NUMBERS[schedule].items())}
    longest = spec(batch_size=batch_size, steps=50, **keys)
    asked = [replace(longest, steps=steps) for steps in (50, 1, 20, 35)]
    alone = [bits(train([one])[0]) for one in asked]
    counts, run = list[int](), ensemble.run

    def counted(groups: Any, *rest: Any) -> Any:
        counts.append(sum(members.n for _, members in groups))
        return run(groups, *rest)

    monkeypatch.setattr(ensemble, "run", counted)
    assert [bits(trained) for trained in train(asked)] == alone
    assert counts == [4 if schedule == "cosine" else 1]


def test_what_is_never_reached_changes_no_bit() -> None:
    """A clip above the gradient's norm, on both ways, and rates that have come to the end of the warm-up."""
    for batch_size in (None, 7):
        plain = spec(optimizer="adam", batch_size=batch_size)
        results = train([plain, replace(plain, clip_norm=1e9), replace(plain, warmup=3)])
        assert bits(results[0]) == bits(results[1]) != bits(results[2])


def test_adamw_is_adam_with_a_weight_decay() -> None:
    adamw, adam = spec(optimizer="adamw"), spec(optimizer="adam")
    results = [adamw, replace(adam, weight_decay=0.01), replace(adamw, weight_decay=0.0), adam]
    first, second, third, last = map(bits, train(results))
    assert first == second != third == last
