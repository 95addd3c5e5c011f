"""The baselines: formulas by other ways, laws of units, and that no row says more than it may."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

from shoal.pipeline import baselines
from shoal.pipeline.baselines import constant, ridge
from shoal.pipeline.data import Dataset
from shoal.pipeline.data.dataset import Split
from shoal.pipeline.scaling import Scaling
from shoal.pipeline.tasks import SPLITS
from tests import datasets

RNG = np.random.default_rng(11)
X, Y = RNG.normal(size=(30, 4)) * [1, 10, 0.1, 3] + [0, 5, -2, 100], RNG.normal(size=(30, 2))
X_VALIDATION, Y_VALIDATION = RNG.normal(size=(9, 4)) * [1, 10, 0.1, 3] + [0, 5, -2, 100], RNG.normal(size=(9, 2))
Y[:, 1] += 0.7 * X[:, 0]
Y_VALIDATION[:, 1] += 0.7 * X_VALIDATION[:, 0]


def made_up(n_outputs: int = 2, seed: int = 3) -> Dataset:
    """Three features and some targets, linear in them but for noise."""
    rng = np.random.default_rng(seed)
    splits = []
    for n in (40, 12, 15):
        x = rng.normal(size=(n, 3))
        y = 5 + x[:, [0]] * np.arange(1, n_outputs + 1) + rng.normal(size=(n, n_outputs))
        splits.append(Split(x, y, np.arange(1, n + 1)))
    names = tuple("uvw"[:n_outputs])
    scalings = Scaling.fit(splits[0].x), Scaling.fit(splits[0].y)
    return Dataset(("a", "b", "c"), names, *scalings, *splits, splits[0])


def least_squares(penalty: float, y: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Predictions of the penalised linear model by a way of its own: sqrt(N penalty) I below the inputs, as rows."""
    mean, deviation, n = X.mean(axis=0), X.std(axis=0), len(X)
    design = np.vstack([(X - mean) / deviation, np.sqrt(n * penalty) * np.eye(4)])
    w = np.linalg.lstsq(design, np.concatenate([y - y.mean(), np.zeros(4)]), rcond=None)[0]
    found: np.ndarray = y.mean() + (at - mean) / deviation @ w
    return found


def test_ridge_is_penalised_least_squares_with_the_penalty_that_suits_validation_best() -> None:
    model = ridge.fit(X, Y, X_VALIDATION, Y_VALIDATION)
    for k, penalty in enumerate(model.penalties):
        np.testing.assert_allclose(model.predict(X)[:, k], least_squares(penalty, Y[:, k], X), rtol=1e-9)
        errors = [
            ((least_squares(other, Y[:, k], X_VALIDATION) - Y_VALIDATION[:, k]) ** 2).mean()
            for other in ridge.PENALTIES
        ]
        assert penalty == ridge.PENALTIES[np.argmin(errors)]
    assert len(set(model.penalties)) == 2, "each target has its own"


def test_ridge_of_one_input_is_a_regression_line_whose_slope_is_divided_by_1_plus_penalty() -> None:
    x, y = X[:, :1], 3 * X[:, :1] + Y[:, :1]
    model = ridge.fit(x, y, X_VALIDATION[:, :1], Y_VALIDATION[:, :1])
    slope = np.cov(x[:, 0], y[:, 0], ddof=0)[0, 1] / x.var() / (1 + model.penalties[0])
    np.testing.assert_allclose(model.predict(x), y.mean() + slope * (x - x.mean()), rtol=1e-12)


def test_ridge_finds_a_plane_and_leaves_noise_to_the_constant() -> None:
    plane = 2 + X @ [[1.0], [-2.0], [30.0], [0.0]]
    model = ridge.fit(X, plane, X_VALIDATION, 2 + X_VALIDATION @ [[1.0], [-2.0], [30.0], [0.0]])
    assert model.penalties[0] == ridge.PENALTIES[-1]
    np.testing.assert_allclose(model.predict(X), plane, atol=1e-3)
    noise = ridge.fit(X, Y, X_VALIDATION, np.full((9, 2), Y.mean(axis=0)))
    assert set(noise.penalties) == {ridge.PENALTIES[0]}
    np.testing.assert_allclose(noise.predict(X), np.tile(Y.mean(axis=0), (30, 1)), atol=4e-3)


def test_the_constant_is_the_mean_of_the_training_rows() -> None:
    model = constant.fit(X, Y, X_VALIDATION, Y_VALIDATION)
    np.testing.assert_array_equal(model.predict(X_VALIDATION), np.tile(Y.mean(axis=0), (9, 1)))
    assert np.isnan(model.penalties).all()


def test_inputs_that_do_not_vary_have_no_say_and_copies_share_theirs() -> None:
    flat = np.full((30, 1), 0.1 + 0.2)
    inputs, other = np.hstack([X, X[:, :1], flat]), np.hstack([X_VALIDATION, X_VALIDATION[:, :1], flat[:9] + 1e9])
    model = ridge.fit(inputs, Y, other, Y_VALIDATION)
    assert (model.weights[-1] == 0).all()
    np.testing.assert_allclose(model.weights[0], model.weights[4], atol=1e-9)
    assert np.abs(model.predict(other)).max() < 10
    nothing = ridge.fit(flat, Y, flat[:9] + 5, Y_VALIDATION)
    np.testing.assert_array_equal(nothing.predict(flat), np.tile(Y.mean(axis=0), (30, 1)))


@settings(max_examples=20, deadline=None)
@given(st.floats(-6, 6), st.floats(-100, 100), st.integers(0, 3), st.floats(-6, 6), st.floats(-100, 100))
def test_units_of_inputs_and_targets_make_no_difference(
    power: float, shift: float, column: int, x_power: float, x_shift: float
) -> None:
    """Targets a y + b have predictions a y_hat + b; those of inputs in other units are the same."""
    a, scale = 10.0**power, np.where(np.arange(4) == column, 10.0**x_power, 1.0)
    model = ridge.fit(X, Y, X_VALIDATION, Y_VALIDATION)
    rows = (scale * (X + x_shift), a * (Y + shift), scale * (X_VALIDATION + x_shift), a * (Y_VALIDATION + shift))
    other = ridge.fit(*rows)
    np.testing.assert_array_equal(other.penalties, model.penalties)
    np.testing.assert_allclose(other.predict(rows[2]) / a - shift, model.predict(X_VALIDATION), rtol=1e-7, atol=1e-7)


# ---- leaks


def test_validation_rows_choose_the_penalty_and_nothing_else() -> None:
    weights: dict[float, set[bytes]] = {}
    for seed in range(30):
        rng = np.random.default_rng(seed)
        size = 2.0 ** rng.integers(-3, 4)
        y = size * Y_VALIDATION[:, :1] + X_VALIDATION[:, :1] * rng.normal()
        model = ridge.fit(X, Y[:, :1], X_VALIDATION * size, y)
        weights.setdefault(model.penalties[0], set()).add(model.weights.tobytes() + model.intercept.tobytes())
    assert len(weights) > 2
    assert {len(found) for found in weights.values()} == {1}


def test_test_rows_change_nothing() -> None:
    dataset = made_up()
    test = dataset.test
    other = replace(dataset, test=replace(test, x=test.x[::-1] * 1e6, y=test.y**3 + 7))
    for name, model in baselines.fitted(dataset).items():
        for field, value in vars(baselines.fitted(other)[name]).items():
            if field != "scaling":
                np.testing.assert_array_equal(value, getattr(model, field))
    before, after = baselines.table(dataset), baselines.table(other)
    kept = [column for column in before if not column.startswith("test_")]
    assert before[kept].equals(after[kept])
    assert not before.equals(after)


def test_training_rows_do_change_it() -> None:
    dataset = made_up()
    other = replace(dataset, train=replace(dataset.train, y=dataset.train.y + np.eye(40, 2)))
    for name, model in baselines.fitted(dataset).items():
        assert (baselines.fitted(other)[name].intercept != model.intercept).all()


def test_the_number_of_threads_makes_no_difference() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(900, 280)), rng.normal(size=(900, 1)), rng.normal(size=(50, 280)), rng.normal(size=(50, 1))
    found = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            model = ridge.fit(*rows)
            found.append(model.weights.tobytes() + model.predict(rows[2]).tobytes())
    assert found[0] == found[1]


# ---- the table


@pytest.mark.parametrize("n_outputs", [1, 2])
def test_a_row_a_baseline_and_target_with_the_errors_that_the_task_reports(n_outputs: int) -> None:
    dataset = made_up(n_outputs)
    table, models = baselines.table(dataset), baselines.fitted(dataset)
    assert list(table["baseline"].unique()) == ["constant", "ridge"]
    assert len(table) == 2 * (n_outputs + (n_outputs > 1))
    for split in SPLITS:
        rows = getattr(dataset, split)
        for name, model in models.items():
            off = model.predict(dataset.inputs(rows)) - rows.y
            found = table[table["baseline"] == name]
            for k, target in enumerate(dataset.target_names):
                [row] = found[found["target"] == target].to_dict("records")
                mse = (off[:, k] ** 2).mean()
                assert row[f"{split}_error"] == pytest.approx(mse, rel=1e-12)
                assert row[f"{split}_rmse"] == pytest.approx(np.sqrt(mse), rel=1e-12)
                assert row[f"{split}_mae"] == pytest.approx(np.abs(off[:, k]).mean(), rel=1e-12)
                assert row[f"{split}_r2"] == pytest.approx(1 - mse / rows.y[:, k].var(), rel=1e-12)
            [every] = baselines.overall(found).to_dict("records")
            assert every[f"{split}_error"] == pytest.approx((off**2).mean(), rel=1e-12)
            if n_outputs > 1:
                score = (off**2 / dataset.train.y.var(axis=0)).mean()
                assert every[f"{split}_score"] == pytest.approx(score, rel=1e-12)
    assert table.loc[table["baseline"] == "constant", "penalty"].isna().all()


def test_a_constant_target_and_numbers_of_any_size(tmp_path: Path) -> None:
    """An R² that is undefined is null; errors are numbers."""
    lines = "".join(f"{i},{i % 7}e-200,{i * i}e300,4\n" for i in range(40))
    (tmp_path / "t.csv").write_text(f"a,b,c,d\n{lines}", encoding="utf-8")
    dataset = datasets.build(tmp_path, targets=["c", "d"], standardise=False)
    table = baselines.table(dataset)
    flat = table[table["target"] == "d"]
    assert flat["test_r2"].isna().all()
    assert (flat["test_rmse"] < 1e-9).all()
    assert np.isfinite(table["test_error"]).all()
