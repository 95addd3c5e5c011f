"""Rank statistics in which a diverged network counts as +infinity."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shoal.pipeline.statistics import RANKS, quantile, summary
from shoal.pipeline.statistics.cells import cell_table, summarised
from shoal.pipeline.statistics.errors import with_errors
from shoal.pipeline.statistics.intervals import interval
from shoal.pipeline.store import CELL_COLUMNS, runs_table
from shoal.pipeline.tasks.regression import MSE

ERRORS = st.floats(0, 1e200)
FINITE = st.lists(ERRORS, min_size=1, max_size=12)
SAMPLES = st.lists(ERRORS | st.just(math.inf), min_size=1, max_size=12)
LOGARITHMS = st.lists(st.floats(-300, 300) | st.sampled_from([-math.inf, math.inf]), min_size=1, max_size=12)
Q = st.floats(0, 1) | st.sampled_from(sorted(RANKS.values()))


def by_definition(values: list[float], q: float) -> float:
    """Type 7 of Hyndman and Fan, where a neighbour without weight is not looked at."""
    ranked, position = sorted(values), (len(values) - 1) * q
    below = math.floor(position)
    weight = position - below
    if weight == 0:
        return ranked[below]
    for neighbour in (ranked[below + 1], ranked[below]):
        if math.isinf(neighbour):
            return neighbour
    return ranked[below] + weight * (ranked[below + 1] - ranked[below])


@given(SAMPLES | LOGARITHMS, Q)
def test_quantile_is_what_its_definition_says(values: list[float], q: float) -> None:
    assert quantile(np.array(values), q) == pytest.approx(by_definition(values, q), rel=1e-12)


@given(FINITE, Q)
def test_quantile_of_finite_values_is_numpys(values: list[float], q: float) -> None:
    assert quantile(np.array(values), q) == np.quantile(values, q)


@given(LOGARITHMS, Q, Q)
def test_quantile_is_monotone_and_a_number(values: list[float], first: float, second: float) -> None:
    low, high = (quantile(np.array(values), q) for q in sorted((first, second)))
    assert min(values) <= low <= high + 1e-12 * abs(high if math.isfinite(high) else 0) <= max(values) + 1e-9


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1.0, 2.0, math.inf], {"median": 2.0, "q1": 1.5, "q3": math.inf, "min": 1.0, "max": math.inf}),
        ([4.0, math.inf, 2.0, 1.0, 3.0], {"median": 3.0, "q1": 2.0, "q3": 4.0, "min": 1.0, "max": math.inf}),
        ([math.inf, 7.0], {"median": math.inf, "q1": math.inf, "q3": math.inf, "min": 7.0, "max": math.inf}),
        ([math.inf] * 3, dict.fromkeys(RANKS, math.inf)),
        ([5.0], dict.fromkeys(RANKS, 5.0)),
        ([-math.inf, 1.0, 2.0], {"median": 1.0, "q1": -math.inf, "q3": 1.5, "min": -math.inf, "max": 2.0}),
    ],
)
def test_summary(values: list[float], expected: dict[str, float]) -> None:
    assert summary(np.array(values)) == expected


def tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Two cells of three networks in one sweep, and the first of them again in another; two networks diverged."""
    keys = [("a", "x", 0), ("a", "x", 1), ("a", "x", 2), ("a", "y", 0), ("a", "y", 1), ("a", "y", 2), ("b", "x", 0)]
    mse = [1.0, 100.0, np.inf, 10.0, np.inf, np.inf, 1.0]
    status = ["ok" if np.isfinite(value) else "diverged" for value in mse]
    ids = [f"{cell}{replicate}" for _, cell, replicate in keys]
    rows = [
        {"network_id": i, "sweep": sweep, "cell": cell, "replicate": n, "status": s, "optimizer": "gd", "width": 5,
         "train_cost": value / 4 if np.isfinite(value) else None}
        for i, (sweep, cell, n), s, value in zip(ids, keys, status, mse, strict=True)
    ]  # fmt: skip
    networks = pd.DataFrame(
        {"network_id": ids, "sweep": [sweep for sweep, _, _ in keys], "error": "mse", "train_error": mse}
    )
    networks["validation_error"] = networks["test_error"] = networks["train_error"]
    return runs_table(rows), networks.astype({"network_id": "string", "sweep": "string", "error": "string"})


def test_cell_table_counts_every_network() -> None:
    runs, networks = tables()
    table = cell_table(with_errors(runs, networks.sample(frac=1, random_state=0)), 0)
    assert list(zip(table["sweep"], table["cell"], strict=True)) == [("a", "x"), ("a", "y"), ("b", "x")]
    assert list(table["n_networks"]) == [3, 3, 1]
    assert list(table["n_diverged"]) == [1, 2, 0]
    assert list(table["diverged_fraction"]) == [1 / 3, 2 / 3, 0]


def test_cell_table_summarises_each_error() -> None:
    table = cell_table(with_errors(*tables()), 0)
    assert list(table["test_error_median"]) == [100.0, np.inf, 1.0]
    assert list(table["test_error_q1"]) == [50.5, np.inf, 1.0]
    assert list(table["test_error_min"]) == [1.0, 10.0, 1.0]
    assert list(table["log10_test_error_median"]) == [2.0, np.inf, 0.0]
    assert list(table["train_cost_median"]) == [25.0, np.inf, 0.25]
    assert list(table["train_cost_q3"]) == [np.inf, np.inf, 0.25]


def test_cell_table_keeps_the_columns_of_the_runs_and_their_types() -> None:
    runs, networks = tables()
    table = cell_table(with_errors(runs, networks), 0)
    numbers = [f"{name}_{rank}" for name in summarised(networks) for rank in RANKS]
    assert list(table.columns) == [
        *CELL_COLUMNS,
        "error",
        "n_networks",
        "n_diverged",
        "diverged_fraction",
        *numbers,
        *MSE.interval_columns,
    ]
    assert table[CELL_COLUMNS].dtypes.equals(runs[CELL_COLUMNS].dtypes)
    assert table[numbers].notna().all(axis=None)
    assert table["depth"].isna().all()


def test_cell_table_has_the_interquartile_mean_and_no_interval_for_few_replicates() -> None:
    """The middle half of 0, 2 and +infinity is all of 2, and a quarter of both its neighbours."""
    table = cell_table(with_errors(*tables()), 0)
    assert list(table["log10_test_error_iqm"]) == [np.inf, np.inf, 0.0]
    assert table[["log10_test_error_iqm_low", "log10_test_error_iqm_high"]].isna().all(axis=None)
    assert {name: str(table.dtypes[name]) for name in MSE.interval_columns} == MSE.interval_columns


def test_cell_table_has_an_interval_from_ten_replicates_on() -> None:
    runs, networks = tables()
    runs = pd.concat([runs[:1].assign(network_id=f"n{i}", replicate=i) for i in range(10)], ignore_index=True)
    networks = pd.concat([networks[:1].assign(network_id=f"n{i}", test_error=10.0**i) for i in range(10)])
    row = cell_table(with_errors(runs.astype(runs.dtypes), networks), 0).iloc[0]
    assert row["log10_test_error_iqm"] == pytest.approx(4.5)
    assert (row["log10_test_error_iqm_low"], row["log10_test_error_iqm_high"]) == interval(np.arange(10.0), 0)
