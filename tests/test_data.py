"""The data of a study: the function's points, splits, standardisation, and the grid for plots."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from shoal.pipeline import config, data
from shoal.pipeline.config import ConfigError
from shoal.pipeline.paths import Paths
from tests.datasets import assert_identical, build, configure, rows


@pytest.fixture
def function(tmp_path: Path) -> data.Dataset:
    (tmp_path / "t.csv").write_text("a,b,c\n" + rows(10), encoding="utf-8")
    return build(tmp_path, source="function")


# ---- the function


def test_training_points_are_the_assignments(function: data.Dataset) -> None:
    np.random.seed(9001)
    expected = np.random.uniform(-np.pi, np.pi, (1000, 1))
    assert np.array_equal(function.train.x, expected)
    assert function.train.x[0, 0] == -2.56226016953088
    assert np.array_equal(function.train.y, np.sin(expected))


def test_best_straight_line_has_the_known_cost(function: data.Dataset) -> None:
    design = np.hstack([function.inputs(function.train), np.ones((1000, 1))])
    weights, *_ = np.linalg.lstsq(design, function.outputs(function.train))
    half_mse = np.mean((design @ weights - function.train.y) ** 2) / 2
    assert half_mse == pytest.approx(0.0967346963549225, rel=1e-12)


def test_function_splits_are_independent_and_cover_the_interval(function: data.Dataset) -> None:
    splits = [function.train, function.validation, function.test]
    assert len({float(x) for split in splits for x in split.x[:, 0]}) == 3000
    for split in splits:
        assert split.x.shape == split.y.shape == (1000, 1)
        assert np.array_equal(split.y, np.sin(split.x))
        assert np.all(np.abs(split.x) <= np.pi)
        assert np.histogram(split.x, bins=10, range=(-np.pi, np.pi))[0].min() > 60
    assert np.array_equal(function.grid.x[:, 0], np.linspace(-np.pi, np.pi, 250))
    assert np.array_equal(function.grid.y, np.sin(function.grid.x))


def test_function_is_not_standardised(function: data.Dataset) -> None:
    assert (function.feature_names, function.target_names) == (("x",), ("y",))
    assert np.array_equal(function.inputs(function.test), function.test.x)
    assert np.array_equal(function.y_scaling.undo(function.test.y), function.test.y)


def test_seed_moves_every_function_split(tmp_path: Path, function: data.Dataset) -> None:
    other = build(tmp_path, source="function", seed=9002)
    for name in ("train", "validation", "test"):
        assert not np.any(getattr(other, name).x == getattr(function, name).x)


# ---- splits


@settings(max_examples=30, deadline=None)
@given(n=st.integers(10, 90), train=st.integers(20, 80), share=st.floats(0.2, 0.8), split_seed=st.integers(0, 99))
def test_splits_are_disjoint_and_complete(
    tmp_path_factory: pytest.TempPathFactory, n: int, train: int, share: float, split_seed: int
) -> None:
    root = tmp_path_factory.getbasetemp()
    (root / "t.csv").write_text("a,b,c\n" + rows(n), encoding="utf-8")
    validation = max(round((100 - train) * share), 1)
    fractions = {"train": train / 100, "validation": validation / 100, "test": (100 - train - validation) / 100}
    paths = configure(root, fractions=fractions, split_seed=split_seed)
    try:
        dataset = data.build(config.load(paths), paths)
    except ConfigError as error:
        assert str(error).startswith("params.yaml: data.fractions")
        assert n * min(fractions.values()) < 1
        return
    parts = {name: getattr(dataset, name).x[:, 0] for name in fractions}
    assert sorted(np.concatenate(list(parts.values()))) == list(range(n))
    for name, fraction in fractions.items():
        assert abs(len(parts[name]) - n * fraction) <= 1
        assert np.all(np.diff(parts[name]) > 0), "a split keeps the order of the file"


def test_split_depends_on_split_seed_alone(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b,c\n" + rows(50), encoding="utf-8")
    dataset = build(tmp_path)
    assert_identical(dataset, build(tmp_path, seed=1))
    assert dataset.train.x[:, 0].tolist() != build(tmp_path, split_seed=1).train.x[:, 0].tolist()


def test_rows_stay_together(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b,c\n" + rows(50), encoding="utf-8")
    dataset = build(tmp_path, targets=["c", "a"], features=["b"])
    for split in (dataset.train, dataset.validation, dataset.test):
        assert np.array_equal(split.x[:, 0] + 1000, split.y[:, 0])
        assert np.array_equal(split.x[:, 0] - 1000, split.y[:, 1])


# ---- standardisation


@given(arrays(np.float64, st.tuples(st.integers(2, 12), st.integers(1, 3)), elements=st.floats(-1e6, 1e6, width=32)))
def test_standardisation_is_undone(a: np.ndarray) -> None:
    scaling = data.Scaling.fit(a)
    error = np.abs(scaling.undo(scaling.apply(a)) - a)
    assert np.all(error <= 4 * np.finfo(float).eps * (np.abs(a) + np.abs(scaling.mean)))


def test_standardisation_is_fitted_on_the_training_split(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b,c\n" + rows(60), encoding="utf-8")
    dataset = build(tmp_path)
    for split, scaling in ((dataset.inputs, dataset.x_scaling), (dataset.outputs, dataset.y_scaling)):
        assert split(dataset.train).mean(axis=0) == pytest.approx(0, abs=1e-12)
        assert split(dataset.train).std(axis=0, ddof=0) == pytest.approx(1, rel=1e-12)
        assert abs(split(dataset.test).mean()) > 1e-3, "the test split must not be centred by itself"
        assert np.all(scaling.scale > 1)
    assert dataset.y_scaling.undo(dataset.outputs(dataset.test)) == pytest.approx(dataset.test.y, rel=1e-15)


def test_constant_column_is_centred_and_not_scaled(tmp_path: Path) -> None:
    lines = "".join(f"0.1,{i},123456789012345680\n" for i in range(20))
    (tmp_path / "t.csv").write_text("a,b,c\n" + lines, encoding="utf-8")
    dataset = build(tmp_path)
    assert (dataset.x_scaling.mean[0], dataset.x_scaling.scale[0]) == (0.1, 1.0)
    assert np.all(dataset.inputs(dataset.test)[:, 0] == 0)
    assert np.all(dataset.outputs(dataset.test) == 0)


def test_standardise_false_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b,c\n" + rows(20), encoding="utf-8")
    dataset = build(tmp_path, standardise=False)
    assert np.array_equal(dataset.inputs(dataset.train), dataset.train.x)
    assert np.array_equal(dataset.outputs(dataset.train), dataset.train.y)


def test_grid_runs_along_the_first_feature(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b,c\n" + rows(40), encoding="utf-8")
    dataset = build(tmp_path, targets=["a"], features=["c", "b"])
    x = dataset.train.x
    assert np.array_equal(dataset.grid.x[:, 0], np.linspace(x[:, 0].min(), x[:, 0].max(), 250))
    assert np.all(dataset.grid.x[:, 1] == x[:, 1].mean())
    assert dataset.grid.y.shape == (250, 1)
    assert np.all(np.isnan(dataset.grid.y))


# ---- reading and writing


def test_save_and_load_keep_every_bit(tmp_path: Path, function: data.Dataset) -> None:
    data.save(function, Paths(tmp_path))
    assert_identical(function, data.load(Paths(tmp_path)))
