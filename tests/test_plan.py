"""What a study takes, against the grid itself, and what is refused because it would not fit."""

from __future__ import annotations

import time
from collections import ChainMap
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shoal.kernels.ensemble import Replicates, recorded_steps
from shoal.kernels.network.tape import layout_of
from shoal.kernels.training.stopping import validation_steps
from shoal.pipeline.config import Sweep
from shoal.pipeline.study import plan
from shoal.pipeline.study.ahead import trainings_of
from shoal.pipeline.study.flops import sweep_flops, training_flops
from shoal.pipeline.study.grid import cells
from shoal.pipeline.study.plan import Demand, Setting

ACTIVATIONS = ["relu", "linear", "tanh", "sigmoid"]
NETWORKS = [
    "dense 3 > tanh", "relu > dense 4", "relu", "(dense 2 | relu > dense 2 | dense 5 > tanh > tanh > dense 2)",
    "(dense 7 > relu | dense 7) > dense 3 > tanh", "dense 4 > relu > dense 4 > dense 2",
    "(skip & (dense 3 | dense 2 > (skip & dropout 0.5 > dense 1)) & relu) > dense 4 > (skip | dense 4 > tanh)",
    "(skip & skip) > (dense 5 & skip) > dropout 0.1",
]  # fmt: skip


def several(values: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(values, min_size=1, max_size=3, unique=True)


COUNTS = several(st.integers(1, 12))
SHAPES = st.one_of(
    st.fixed_dictionaries({"activation": several(st.sampled_from(ACTIVATIONS)), "depth": COUNTS, "width": COUNTS}),
    st.fixed_dictionaries({"activation": several(st.sampled_from(ACTIVATIONS)),
                           "hidden_sizes": several(st.lists(st.integers(1, 9), min_size=1, max_size=3).map(tuple)).map(
                               lambda sizes: [list(part) for part in sizes])}),
    several(st.sampled_from(NETWORKS)).map(lambda texts: {"architecture": {f"n{i}": t for i, t in enumerate(texts)}}),
)  # fmt: skip
RATE, RUNS = st.floats(0.001, 1), st.integers(1, 9)
RATES = several(RATE)
BATCHES = several(st.one_of(st.integers(1, 20), st.just("full")))
ALONG = st.one_of(
    st.just({}),
    st.fixed_dictionaries({"schedule": several(st.sampled_from(["constant", "cosine"])), "l2": RATE}),
    st.fixed_dictionaries({"schedule": st.just(["cosine", "step", "exponential"]), "every": RUNS, "gamma": RATE}),
    st.fixed_dictionaries({"schedule": st.just(["step", "exponential"]), "every": RUNS, "gamma": RATES}),
)
DESCENTS = st.one_of(
    st.fixed_dictionaries({"learning_rate": RATES, "batch_size": BATCHES, "steps": several(st.integers(1, 300))}),
    st.fixed_dictionaries({"learning_rate": RATES, "batch_size": BATCHES, "epochs": several(st.integers(1, 60))}),
)
LOSSES = st.sampled_from(
    [{}, {"loss": ["squared", "huber"], "delta": 0.5}, {"loss": "quantile", "quantile": [0.1, 0.9]}]
)
KEPT = several(st.sampled_from(["last", "best"]))
STOPPING = st.one_of(
    st.just({}),
    st.fixed_dictionaries({"keep": KEPT, "validate_every": COUNTS}),
    st.fixed_dictionaries({"patience": COUNTS, "min_delta": several(st.floats(0, 1)), "validate_every": COUNTS}),
)
TRAINING = st.one_of(
    st.fixed_dictionaries({"optimizer": st.just("ridge"), "alpha": RATES}),
    st.builds(lambda *parts: dict(ChainMap(*parts)), DESCENTS, ALONG, LOSSES, STOPPING),
)
SETTINGS = st.builds(
    Setting, st.integers(1, 4), st.integers(1, 3), st.integers(20, 50), st.just(8), st.just(2), st.integers(1, 30)
)


@st.composite
def blocks(draw: st.DrawFn) -> dict[str, Any]:
    """A sound block of any kind, some of its keys by activation."""
    block = draw(SHAPES) | draw(TRAINING) | {"replicates": draw(st.integers(1, 3))}
    by_activation = {"learning_rate": RATES, "alpha": RATES, "batch_size": BATCHES, "steps": COUNTS, "epochs": COUNTS}
    by_activation |= {"keep": KEPT, "patience": COUNTS}
    for key in set(block) & set(by_activation) if "activation" in block else ():
        if draw(st.booleans()):
            block[key] = {name: draw(by_activation[key]) for name in block["activation"]}
    return block


@settings(max_examples=60, deadline=None)
@given(block=blocks(), setting=SETTINGS)
def test_counts_are_those_of_the_grid(block: dict[str, Any], setting: Setting) -> None:
    sweep = Sweep.model_validate(block)
    grid = cells(sweep, setting.n_outputs, setting.n_samples)
    specs = [spec for cell in grid for spec in cell.specs()]
    found = plan.cost(sweep, setting)
    assert found.networks == len(grid) * sweep.replicates == len(specs)
    assert found.parameters == sum(layout_of(spec.architecture, setting.n_features).n_params for spec in specs)
    sizes = (setting.n_features, setting.n_samples, setting.n_validation)
    networks = [own for cell in grid for own in cell.networks()]
    flops = sweep_flops(((own, np.full(len(own.numbers), own.spec.steps or 0)) for own in networks), *sizes)
    assert float(found.operations) == pytest.approx(flops, rel=1e-12)
    once = trainings_of(networks)
    assert sum(n * training_flops(spec, spec.steps or 0, *sizes) for spec, n in once) == pytest.approx(flops, rel=1e-12)


@pytest.mark.parametrize(
    ("missing", "steps"),
    [
        (([0, 1, 2], [0, 1, 2]), {20: 3}),
        (([0, 1, 2], []), {5: 3}),
        (([0, 1], [1, 2]), {20: 2, 5: 1}),
        (([], []), {}),
    ],
)
def test_what_is_known_is_not_trained(missing: tuple[list[int], ...], steps: dict[int, int]) -> None:
    """Three replicates with 5 and with 20 steps, which are trained once."""
    block = {"activation": "relu", "depth": 1, "width": 5, "learning_rate": 0.1, "steps": [5, 20], "replicates": 3}
    grid = cells(Sweep.model_validate(block), 1, 100)
    own = [Replicates(cell.spec, np.array(numbers)) for cell, numbers in zip(grid, missing, strict=True)]
    assert {spec.steps: n for spec, n in trainings_of(own)} == steps


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.7, "under 1 s"), (8.2, "8 s"), (44, "40 s"), (170, "3 min"), (9000, "2 h"), (4e5, "5 days")],
)
def test_times_are_readable(seconds: float, text: str) -> None:
    assert plan.duration(seconds) == text


@settings(max_examples=40, deadline=None)
@given(block=blocks(), setting=SETTINGS)
def test_bytes_hold_the_numbers_of_the_files(block: dict[str, Any], setting: Setting) -> None:
    """Every parameter, and the costs at every point of every curve; those of mini-batches have 51 points at most."""
    sweep = Sweep.model_validate(block)
    specs = [spec for cell in cells(sweep, setting.n_outputs, setting.n_samples) for spec in cell.specs()]
    points = sum(len(recorded_steps(spec.steps, spec.batch_size)) for spec in specs if spec.steps)
    most = sum(51 if spec.batch_size else spec.steps + 1 for spec in specs if spec.steps)
    most += sum(len(validation_steps(spec.steps or 0, spec.batch_size, setting.n_samples, spec.validate_every))
                for spec in specs if spec.is_validated)  # fmt: skip
    found = plan.cost(sweep, setting)
    assert 8 * (found.parameters + points) + 100 * len(specs) <= found.disk
    assert found.disk == 8 * (found.parameters + most) + 100 * len(specs)
    assert found.memory > 4 * 8 * found.parameters + 24 * points + 1_000 * len(specs)


@settings(max_examples=30)
@given(steps=st.lists(st.integers(1, 10**12), min_size=1))
def test_recorded_costs_are_those_of_the_engine(steps: list[int]) -> None:
    some = [*steps, *(n % 300 + 1 for n in steps)]
    assert plan.n_recorded(some).tolist() == [len(recorded_steps(n, 1)) for n in some]


def test_a_grid_of_millions_is_counted_at_once() -> None:
    """Each of its cells is trained apart."""
    several = {"batch_size": list(range(1, 1001)), "epochs": list(range(1, 4901)), "schedule": "cosine"}
    block = {"activation": "relu", "depth": 1, "width": 5, "learning_rate": 0.1}
    start = time.perf_counter()
    assert plan.cost(Sweep.model_validate(block | several), Setting(1, 1, 100, 8, 2, 20)).networks == 4_900_000
    assert time.perf_counter() - start < 30, "on any machine"


def test_sweeps_run_one_after_the_other() -> None:
    one, two = Demand(1, 2, plan.Fraction(3), memory=40, disk=5), Demand(10, 20, plan.Fraction(1, 2), memory=4, disk=50)
    assert one + two == Demand(11, 22, plan.Fraction(7, 2), memory=40, disk=55)


@pytest.mark.parametrize(
    ("n", "text"),
    [(0, "0"), (1443, "1,443"), (12_345_678, "12.3 million"), (3_400_000_000_000, "3.4e12"), (10**500, "1.0e500")],
)
def test_amounts_are_readable(n: int, text: str) -> None:
    assert plan.amount(n) == text


@pytest.mark.parametrize(
    ("n", "text"),
    [(350_000, "0.3 MB"), (7_500_000_000, "7.5 GB"), (8 * 10**12, "8,000.0 GB"), (10**400, "1.0e391 GB")],
)
def test_sizes_are_readable(n: int, text: str) -> None:
    assert plan.size(n) == text
