"""Declared comparisons: which there are, what their table says, and how often a claim is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from shoal.pipeline import store
from shoal.pipeline.statistics import axes
from shoal.pipeline.statistics.contrasts import Contrast, contrast_table, declared
from shoal.pipeline.statistics.signed_ranks import p_value
from shoal.pipeline.store import A_BEATS_B, B_BEATS_A, CONTRAST_COLUMNS, NOT_SHOWN, UNTESTABLE
from tests import studies


def grid_of(**lists: list[Any]) -> pd.DataFrame:
    """Prepared cells for the product of the lists, the last of them fastest; a cell is named by its levels."""
    base: dict[str, Any] = dict.fromkeys(axes.LABELS) | {"architecture": "dense 1", "optimizer": "gd"}
    frame = pd.MultiIndex.from_product(lists.values(), names=lists.keys()).to_frame(index=False)
    rows = [base | {"activation": "relu"} | row for row in frame.astype(object).to_dict("records")]
    for row in rows:
        if row["width"]:
            row["hidden_sizes"] = "-".join([str(row["width"])] * row["depth"])
        row["cell"] = " ".join(str(row[key]) for key in lists)
    return axes.prepare(pd.DataFrame(rows), {})


def pairs(contrasts: list[Contrast]) -> list[str]:
    return [f"{c.axis}: {c.a} | {c.b}" for c in contrasts]


# ---- which there are


def test_activations_at_equal_shape_then_neighbours_along_each_axis() -> None:
    cells = grid_of(activation=["tanh", "relu"], depth=[1, 2], width=[50, 5, 10]).sort_values("width")
    found = declared(grid_of(activation=["tanh", "relu"], depth=[1, 2], width=[50, 5, 10]))
    assert pairs(found) == [
        *(f"series: tanh {shape} | relu {shape}" for shape in ("1 50", "1 5", "1 10", "2 50", "2 5", "2 10")),
        *(f"depth: {name} 1 {w} | {name} 2 {w}" for name in ("tanh", "relu") for w in (50, 5, 10)),
        *(
            f"width: {name} {depth} {low} | {name} {depth} {high}"
            for name in ("tanh", "relu")
            for depth in (1, 2)
            for low, high in ((5, 10), (10, 50))
        ),
    ]
    assert set(declared(cells)) >= {c for c in found if c.axis != "series"}
    assert (found[0].level_a, found[0].level_b, found[-1].level_a, found[-1].level_b) == ("tanh", "relu", "10", "50")


def test_the_studys_own_sweeps() -> None:
    sizes = grid_of(activation=["relu", "tanh"], depth=[1, 2, 3], width=[5, 10, 25, 50])
    assert len(declared(sizes)) == 12 + 2 * (2 * 4 + 3 * 3)
    assert len(declared(grid_of(activation=["relu", "tanh", "linear"], depth=[2], width=[100]))) == 3


def test_the_full_batch_is_the_neighbour_of_the_largest() -> None:
    found = declared(grid_of(depth=[1], width=[5], batch_size=[None, 1, 100]))
    assert [(c.axis, c.level_a, c.level_b) for c in found] == [
        ("batch_size", "1", "100"),
        ("batch_size", "100", "full"),
    ]


def test_activations_with_rates_of_their_own_are_compared_and_others_only_where_rates_agree() -> None:
    cells = grid_of(activation=["relu", "tanh"], depth=[1], width=[5])
    assert pairs(declared(cells.assign(learning_rate=[0.02, 0.05]))) == ["series: relu 1 5 | tanh 1 5"]
    cells = grid_of(activation=["relu", "tanh"], depth=[1], width=[5], learning_rate=[0.1, 0.2])
    found = declared(cells[cells["cell"] != "relu 1 5 0.1"])
    assert pairs(found) == ["series: relu 1 5 0.2 | tanh 1 5 0.2", "learning_rate: tanh 1 5 0.1 | tanh 1 5 0.2"]


def test_a_single_cell_has_none() -> None:
    assert declared(grid_of(depth=[1], width=[5])) == []
    table = contrast_table("one", [], pd.DataFrame({"c": np.zeros(10)}))
    assert {name: str(kind) for name, kind in table.dtypes.items()} == CONTRAST_COLUMNS
    assert table.empty


# ---- what the table says

THREE = [Contrast("width", a, b, a, b) for a, b in (("a", "b"), ("b", "c"), ("a", "c"))]


def errors(n: int) -> pd.DataFrame:
    """log10 errors of n replicates: a below b always, c like a but for the signs of its differences."""
    a = np.random.default_rng(0).normal(size=n)
    return pd.DataFrame({"a": a, "b": a + 1 + np.arange(n) / n, "c": a + 0.1 * (-1.0) ** np.arange(n)})


def test_verdicts_are_those_of_holms_p() -> None:
    table = contrast_table("s", THREE, errors(10))
    assert list(table["verdict"]) == [A_BEATS_B, B_BEATS_A, NOT_SHOWN]
    p = [p_value((errors(10)[x] - errors(10)[y]).to_numpy()) for x, y in ("ab", "bc", "ac")]
    assert p[:2] == [2 / 2**10] * 2
    assert list(table["p"]) == p
    assert list(table["p_holm"]) == [3 * p[0], 3 * p[0], p[2]]
    assert list(table["p_smallest"]) == [3 * 2 / 2**10] * 3
    assert list(table["a_smaller"]) == [10, 0, 5]
    assert list(table["b_smaller"]) == [0, 10, 5]
    assert table["log10_ratio"][0] == pytest.approx(-1.45)


def test_nothing_is_claimed_from_fewer_than_ten() -> None:
    table = contrast_table("s", THREE, errors(9))
    assert list(table["verdict"]) == [UNTESTABLE] * 3
    assert table[["p", "p_holm"]].isna().all(axis=None)
    assert table["p_smallest"].lt(0.05).all(), "the rule is about ten replicates, not about p alone"


def test_so_many_contrasts_that_ten_replicates_cannot_show_any() -> None:
    """2 / 2^10 is below 5 % of 25 contrasts, and above 5 % of 26."""
    for count, expected in ((25, A_BEATS_B), (26, UNTESTABLE)):
        table = contrast_table("s", THREE[:1] * count, errors(10))
        assert list(table["verdict"].unique()) == [expected]
        assert (table["p_smallest"] <= 0.05).all() == (expected == A_BEATS_B)


def test_a_diverged_network_loses_its_pair_and_is_not_dropped() -> None:
    values = errors(10)
    values.loc[:7, "c"] = np.inf
    values.loc[:3, "b"] = np.inf
    table = contrast_table("s", THREE, values)
    assert list(table["n_pairs"]) == [10] * 3
    assert (table["a_smaller"][1], table["b_smaller"][1]) == (4, 2)
    assert table["log10_ratio"][2] == -np.inf
    assert table["verdict"][2] == A_BEATS_B


def test_claims_about_equal_cells_are_rare() -> None:
    """Of sweeps in which no cell is better than another, at most 5 % have any claim (family-wise error)."""
    generator, wrong = np.random.default_rng(1), 0
    contrasts = [Contrast("width", a, b, a, b) for a, b in zip("abcdef", "bcdefa", strict=True)]
    for _ in range(400):
        common = generator.exponential(size=(12, 1))
        values = pd.DataFrame(common + generator.exponential(size=(12, 6)), columns=list("abcdef"))
        wrong += contrast_table("s", contrasts, values)["verdict"].isin([A_BEATS_B, B_BEATS_A]).any()
    assert 0 < wrong <= stats.binom.ppf(0.99, 400, 0.05), "as many as 5 % give with a probability of 99 %"


# ---- from the results of a study

SWEEPS = {
    "shapes": {"activation": ["tanh", "linear"], "depth": 1, "width": [4, 20], "optimizer": "ridge", "alpha": 0.1}
    | {"replicates": 12},
    "few": studies.RIDGE,
    "branches": studies.BRANCHES | {"replicates": 10},
}


def test_contrasts_of_a_study_follow_from_its_networks(tmp_path: Path) -> None:
    paths = studies.complete(tmp_path, SWEEPS)
    table = store.read_table(paths.contrasts)
    assert {name: str(kind) for name, kind in table.dtypes.items()} == CONTRAST_COLUMNS
    assert list(table["sweep"]) == ["shapes"] * 4 + ["few", "branches"]
    assert list(table["axis"]) == ["series", "series", "width", "width", "series", "series"]
    networks = store.read_table(paths.networks).set_index(["sweep", "cell", "replicate"])["test_error"].sort_index()
    for _, row in table[table["n_pairs"] >= 10].iterrows():
        a, b = (np.log10(networks[row["sweep"], row[side]].to_numpy()) for side in "ab")
        assert row["p"] == pytest.approx(p_value(a - b))
        assert row["a_smaller"] == (a < b).sum()
    shapes = table.set_index(["a", "b"])["verdict"]
    assert shapes["tanh-d1-w020", "linear-d1-w020"] == A_BEATS_B
    assert shapes["tanh-d1-w004", "tanh-d1-w020"] == B_BEATS_A
    assert list(table.loc[table["sweep"] == "few", "verdict"]) == [UNTESTABLE]
    assert (table["level_a"].iloc[-1], table["level_b"].iloc[-1]) == ("scalar", "hidden")
