"""Which rows are trained on: in order, by the order of a column, or with groups kept together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shoal.pipeline.data.splitting import held_out
from tests.datasets import build, faults

PARTS = ("train", "validation", "test")


def rows_of(root: Path, cells: list[object], **splits: str) -> dict[str, list[int]]:
    """Row numbers of each part of a table with this column `k`."""
    lines = [f"{cell},{i % 7},{i % 5}" for i, cell in enumerate(cells)]
    (root / "t.csv").write_text("\n".join(["k,b,c", *lines, ""]), encoding="utf-8")
    dataset = build(root, splits=splits)
    return {name: getattr(dataset, name).rows.tolist() for name in PARTS}


def test_rows_are_split_in_their_order(tmp_path: Path) -> None:
    parts = rows_of(tmp_path, list(range(20)), kind="ordered")
    assert parts == {"train": [*range(1, 13)], "validation": [*range(13, 17)], "test": [*range(17, 21)]}


@pytest.mark.parametrize(
    "of",
    [
        lambda i: i / 4,
        lambda i: f"{2000 + i}-02-03",
        lambda i: f"2024-01-01 {i:02d}:30",
        lambda i: f"2024-01-01T12:00:00-{i:02d}:00",
    ],
    ids=["numbers", "dates", "times", "times with zones"],
)
def test_rows_are_split_in_the_order_of_a_column_that_is_no_feature(of: object, tmp_path: Path) -> None:
    places = np.random.default_rng(0).permutation(20)
    parts = rows_of(tmp_path, [of(int(i)) for i in places], kind="ordered", column="k")  # type: ignore[operator]
    expected = np.split(np.argsort(places) + 1, [12, 16])
    assert list(parts.values()) == [sorted(part.tolist()) for part in expected]
    assert build(tmp_path, splits={"kind": "ordered", "column": "k"}, features=None).feature_names == ("b",)


def test_rows_of_one_moment_stay_in_their_order(tmp_path: Path) -> None:
    parts = rows_of(tmp_path, [2024] * 20, kind="ordered", column="k")
    assert parts["train"] == [*range(1, 13)]


@given(sizes=st.lists(st.integers(1, 8), min_size=25, max_size=40), seed=st.integers(0, 99))
def test_groups_stay_together_and_shares_are_near(
    sizes: list[int], seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("groups")
    groups = [f"g{i}" for i in np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))]
    lines = [f"{name},{i % 7},{i % 5}" for i, name in enumerate(groups)]
    (root / "t.csv").write_text("\n".join(["k,b,c", *lines, ""]), encoding="utf-8")
    dataset = build(root, splits={"kind": "group", "column": "k"}, split_seed=seed)
    parts = [getattr(dataset, name).rows for name in PARTS]
    assert sorted(np.concatenate(parts).tolist()) == [*range(1, len(groups) + 1)]
    names = [{groups[row - 1] for row in part} for part in parts]
    assert sum(map(len, names)) == len(set(groups))
    for part, share in zip(parts, (0.6, 0.2, 0.2), strict=True):
        assert abs(len(part) - share * len(groups)) <= max(sizes) + 1
    again = build(root, splits={"kind": "group", "column": "k"}, split_seed=seed)
    assert [getattr(again, name).rows.tolist() for name in PARTS] == [part.tolist() for part in parts]


@pytest.mark.parametrize(
    ("cells", "splits", "message"),
    [
        (
            ["x"] * 20,
            {"kind": "group"},
            "params.yaml: data.splits: found {'kind': 'group'}; allowed: a column for kind",
        ),
        (["x"] * 20, {"kind": "random", "column": "k"}, "params.yaml: data.splits: found {'kind': 'random', 'column'"),
        (
            ["x"] * 20,
            {"kind": "group", "column": "c"},
            "params.yaml: data.splits: found {'kind': 'group', 'column': 'c'",
        ),
        (
            ["1", "2"] * 10,
            {"kind": "group", "column": "kk"},
            "params.yaml: data.splits.column: found 'kk'; allowed: a column",
        ),
        (
            ["x", ""] * 10,
            {"kind": "group", "column": "k"},
            "t.csv: column 'k', row 3: found an empty cell (and 9 more);",
        ),
        (
            ["soon"] * 20,
            {"kind": "ordered", "column": "k"},
            "t.csv: column 'k', row 2: found 'soon'; allowed: numbers, or",
        ),
        (["x"] * 20, {"kind": "group", "column": "k"}, "params.yaml: data.fractions: found t.csv with 20 rows: 20 to"),
    ],
)
def test_what_keeps_rows_from_being_split(
    cells: list[str], splits: dict[str, str], message: str, tmp_path: Path
) -> None:
    lines = [f"{cell},{i % 7},{i % 5}" for i, cell in enumerate(cells)]
    found = faults(tmp_path, "\n".join(["k,b,c", *lines, ""]), splits=splits)
    assert len(found) == 1
    assert found[0].startswith(message)


@given(n=st.integers(2, 60), folds=st.integers(2, 10), repeats=st.integers(1, 3), seed=st.integers(0, 5))
def test_each_repeat_of_folds_holds_out_every_row_once(n: int, folds: int, repeats: int, seed: int) -> None:
    parts = held_out(n, folds, repeats, seed)
    assert len(parts) == folds * repeats
    for repeat in range(repeats):
        own = parts[repeat * folds : (repeat + 1) * folds]
        assert sorted(np.concatenate(own).tolist()) == [*range(n)]
        assert [len(part) for part in own] == [n // folds + (i < n % folds) for i in range(folds)]
    if repeats > 1 and n > 20:
        assert parts[0].tolist() != parts[folds].tolist()
