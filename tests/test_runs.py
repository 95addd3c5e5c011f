"""What is trained of what is wanted: each network once, to the most steps that it is wanted for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from shoal.kernels.ensemble import NetworkSpec, Replicates
from shoal.kernels.network.architecture import Architecture
from shoal.kernels.runs import runs_of

SPEC = NetworkSpec(Architecture.parse("dense 3 > tanh > dense 1"), "glorot_uniform", 0, learning_rate=0.1, steps=10)
Wanted = tuple[int, int, list[int]]


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(0, 1), st.lists(st.integers(0, 4), min_size=1, unique=True))))
def test_every_network_is_trained_once_for_all_its_steps(asked: list[Wanted]) -> None:
    """Steps, data set and numbers; of what is wanted twice, either may be read off."""
    wanted = [Replicates(replace(SPEC, steps=steps), np.array(numbers)) for steps, _, numbers in asked]
    runs = runs_of(wanted, [which for _, which, _ in asked], None)
    trained = [(run.which, number) for run in runs for number in run.numbers.tolist()]
    assert len(trained) == len(set(trained))
    found = {(i, number) for run in runs for i in run.places for number in run.numbers.tolist()}
    assert found == {(i, number) for i, (_, _, numbers) in enumerate(asked) for number in numbers}
    for run in runs:
        assert run.steps == tuple(sorted({asked[i][0] for i in run.places}))
        assert run.steps[-1] == asked[run.places[-1]][0]
        assert {asked[i][1] for i in run.places} == {run.which}


def test_a_schedule_that_depends_on_the_last_step_makes_runs_of_their_own() -> None:
    cosine = replace(SPEC, schedule="cosine")
    wanted = [Replicates(replace(cosine, steps=steps), np.arange(3)) for steps in (5, 10)]
    assert [run.steps for run in runs_of(wanted, [0, 0], None)] == [(5,), (10,)]
