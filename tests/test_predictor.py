"""A predictor answers in the user's units, whatever it was made of, and comes back from a file bit for bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from shoal.kernels.ensemble import predict
from shoal.kernels.network.architecture import Architecture
from shoal.pipeline.predictor import Fitted, Predictor
from shoal.pipeline.scaling import Scaling
from tests import studies

NOTATION = "dense 3 > tanh > dense 1"
RNG = np.random.default_rng(8)
PARAMS = RNG.normal(size=(3, 13)) / 3
X = RNG.normal(40, 10, size=(6, 2))
X_SCALING = Scaling(np.array([40.0, 1 / 3]), np.array([10.0, 0.7]))
Y_SCALING = Scaling(np.array([100.0]), np.array([4.1]))


def of(*networks: Fitted) -> Predictor:
    return Predictor(("age", "children"), ("charges",), X_SCALING, Y_SCALING, networks)


def by_numpy(params: np.ndarray) -> np.ndarray:
    return 4.1 * studies.forward(NOTATION, params, (X - [40, 1 / 3]) / [10, 0.7]) + 100


def test_a_network_answers_in_the_units_of_its_columns() -> None:
    answer = of(Fitted.of(NOTATION, PARAMS[0])).predict(X)
    assert (answer.shape, answer.dtype) == ((6, 1), np.float64)
    np.testing.assert_allclose(answer, by_numpy(PARAMS[0]), rtol=1e-12)


def test_one_network_alone_has_the_bits_of_the_kernels() -> None:
    bits = predict(Architecture.parse(NOTATION), PARAMS[0], X_SCALING.apply(X)) * Y_SCALING.scale + Y_SCALING.mean
    np.testing.assert_array_equal(of(Fitted.of(NOTATION, PARAMS[0])).predict(X), bits)


def test_of_several_networks_the_answers_are_averaged() -> None:
    answer = of(*(Fitted.of(NOTATION, params) for params in PARAMS)).predict(X)
    np.testing.assert_allclose(answer, np.mean([by_numpy(params) for params in PARAMS], axis=0), rtol=1e-12)


def test_the_spread_is_the_deviation_of_the_networks_in_the_units_of_the_target() -> None:
    predictor = of(*(Fitted.of(NOTATION, params) for params in PARAMS))
    answers = [by_numpy(params) for params in PARAMS]
    assert predictor.columns == ["charges_predicted", "charges_spread"]
    np.testing.assert_array_equal(predictor.answer(X)[:, :1], predictor.predict(X))
    np.testing.assert_allclose(predictor.answer(X)[:, 1:], np.std(answers, axis=0), rtol=1e-10)


def test_one_network_alone_has_no_spread() -> None:
    single = of(Fitted.of(NOTATION, PARAMS[0]))
    assert single.columns == ["charges_predicted"]
    np.testing.assert_array_equal(single.answer(X), single.predict(X))


@pytest.mark.parametrize(("widths", "ends"), [((1 / 3,), 1 / 3), ((None,), np.nan)])
def test_half_widths_go_through_a_file(tmp_path: Path, widths: tuple[float | None], ends: float) -> None:
    """Also one that is not known."""
    of(Fitted.of(NOTATION, PARAMS[0])).with_half_widths(widths).save(tmp_path / "network.json")
    after = Predictor.load(tmp_path / "network.json")
    assert after.columns == ["charges_predicted", "charges_low", "charges_high"]
    y_hat, low, high = after.answer(X).T
    np.testing.assert_array_equal([low, high], [y_hat - ends, y_hat + ends])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_file_gives_it_back_bit_for_bit(tmp_path: Path, dtype: str) -> None:
    before = of(*(Fitted.of(NOTATION, params.astype(dtype)) for params in PARAMS[:2]))
    before.save(tmp_path / "network.json")
    after = Predictor.load(tmp_path / "network.json")
    assert (after.feature_names, after.target_names) == (("age", "children"), ("charges",))
    for one, other in zip(before.networks, after.networks, strict=True):
        assert str(other.architecture) == NOTATION
        assert other.params.dtype == dtype
        np.testing.assert_array_equal(one.params, other.params)
    np.testing.assert_array_equal(after.predict(X), before.predict(X))


@pytest.mark.parametrize("shape", [(6,), (6, 0), (6, 1), (6, 3), (2, 6, 1)])
def test_inputs_that_do_not_fit_are_refused(shape: tuple[int, ...]) -> None:
    predictor = of(Fitted.of(NOTATION, RNG.normal(size=13)))
    for call in (predictor.predict, predictor.answer, predictor.table):
        with pytest.raises(ValueError, match=rf"x has shape \({shape[0]},.*\); allowed: \(n, 2\)"):
            call(np.ones(shape))


@pytest.mark.parametrize("text", ["[" * 100_000, "", "[]", "{}", '{"feature_names": ["x"]}', '{"networks": [3]}'])
def test_a_file_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "network.json").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"network.json: found no predictor .*; allowed: a file that `save` wrote"):
        Predictor.load(tmp_path / "network.json")


def test_a_network_that_diverged_has_no_answers_and_is_not_saved(tmp_path: Path) -> None:
    lost = of(Fitted.of(NOTATION, np.full(13, np.nan)))
    assert np.isnan(lost.predict(X)).all()
    with pytest.raises(ValueError):
        lost.save(tmp_path / "network.json")
    assert not list(tmp_path.iterdir())
