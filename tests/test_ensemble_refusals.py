"""What the door refuses, and what it says: networks, arrays and numbers that kernels cannot work on."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from shoal.kernels import ensemble
from shoal.kernels.network.architecture import Activation, Architecture, Dense, Sum
from shoal.kernels.spec import NetworkSpec
from tests.fleet import FLEET, X, Y, spec, train
from tests.naive import Array
from tests.problems import SEED

CALLS: dict[str, Callable[[Any], object]] = {
    "train": lambda architecture: train([FLEET[0], replace(spec(), architecture=architecture)]),
    "predict": lambda architecture: ensemble.predict(architecture, np.zeros(5), X),
    "gradients": lambda architecture: ensemble.gradients(architecture, np.zeros(5), X, Y),
    "initial_params": lambda architecture: ensemble.initial_params(
        NetworkSpec(architecture, "assignment", 0), 2, 150, SEED
    ),
}
"""Every way in for an architecture."""


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    ("architecture", "message"),
    [
        (Architecture.plain([3], "swish", 2), "'swish' is not a layer; allowed: 'dense N' with N >= 1, linear, relu,"),
        (Architecture((Sum(((Activation("ReLU"),),)), Dense(2))), "'ReLU' is not a layer"),
        (Architecture.plain([0], "relu", 2), "'dense 0' is not a layer"),
    ],
)
def test_a_layer_that_there_is_not_is_an_error(call: str, architecture: Architecture, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CALLS[call](architecture)


@pytest.mark.parametrize("call", CALLS)
def test_text_in_the_place_of_an_architecture_is_an_error(call: str) -> None:
    message = "'dense 2' is not an Architecture; Architecture.parse('dense 2') makes one"
    with pytest.raises(TypeError, match=re.escape(message)):
        CALLS[call]("dense 2")


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["x", "y"])
def test_a_number_that_is_not_finite_is_an_error(name: str, number: float) -> None:
    """Of several, the first one is named."""
    arrays = {"x": X.copy(), "y": Y.copy()}
    arrays[name][7, 1] = arrays[name][8, 0] = number
    message = f"^{name} has {number} in row 7, column 1 .counted from 0.; all of its numbers must be finite$"
    for dtype in ensemble.DTYPES:
        with pytest.raises(ValueError, match=message):
            ensemble.train([FLEET[0]], **arrays, seed=SEED, dtype=dtype)
    with pytest.raises(ValueError, match=message):
        ensemble.gradients(FLEET[0].architecture, np.zeros(6), **arrays)


def test_what_a_network_makes_of_nan_is_nan() -> None:
    x = X[:3].copy()
    x[1, 0] = np.nan
    y_hat = ensemble.predict(FLEET[0].architecture, np.ones(6), x)
    np.testing.assert_array_equal(np.isnan(y_hat), [[False] * 2, [True] * 2, [False] * 2])
    assert np.isnan(ensemble.predict(FLEET[0].architecture, np.full(6, np.nan), X)).all()


@pytest.mark.parametrize("dtype", ["float63", "float16", "int64"])
def test_another_dtype_is_an_error(dtype: str) -> None:
    with pytest.raises(
        ValueError, match=f"dtype {dtype} is not one that networks are trained in; allowed: float64, float32"
    ):
        train([FLEET[0]], dtype)


@pytest.mark.parametrize("dtype", ["int64", "float16"])
def test_parameters_of_another_dtype_are_an_error(dtype: str) -> None:
    message = f"params: dtype {dtype} is not one that networks are trained in"
    with pytest.raises(ValueError, match=message):
        ensemble.predict(FLEET[0].architecture, np.zeros(6, dtype), X)
    with pytest.raises(ValueError, match=message):
        ensemble.gradients(FLEET[0].architecture, np.zeros(6, dtype), X, Y)


def test_an_array_of_text_is_an_error() -> None:
    with pytest.raises(ValueError, match="x has dtype <U1; it needs numbers"):
        ensemble.predict(FLEET[0].architecture, np.zeros(6), np.full((3, 2), "1"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch_size": 0}, "batch_size 0 is not between 1 and the 150 samples; None is full batch"),
        ({"batch_size": 151}, "batch_size 151 is not between 1 and the 150 samples"),
        ({"steps": 0}, "steps 0"),
        ({"steps": -1, "batch_size": 3}, "steps -1"),
        ({"steps": None}, "lacks what its optimizer needs"),
        ({"learning_rate": None}, "lacks what its optimizer needs"),
        ({"optimizer": "ridge"}, "lacks what its optimizer needs"),
        ({"learning_rate": np.nan}, "learning_rate nan is not a finite number"),
        ({"learning_rate": np.inf, "optimizer": "adam"}, "learning_rate inf is not a finite number"),
        ({"optimizer": "ridge", "alpha": np.nan}, "alpha nan is not a finite number"),
        ({"optimizer": "ridge", "alpha": -np.inf}, "alpha -inf is not a finite number"),
        ({"optimizer": "sgd"}, "unknown optimizer"),
        ({"hypers": (("momentum", 0.9),)}, "gd has no momentum; allowed: $"),
        (
            {"optimizer": "adam", "schedule": "step", "hypers": (("every", 3), ("beta", 0.9))},
            "adam and step has no beta; allowed: beta_1, beta_2, epsilon, every, gamma$",
        ),
        ({"schedule": "linear"}, "schedule 'linear' is none; allowed: constant, step, exponential, cosine"),
        ({"schedule": "step", "hypers": (("gamma", 0.5),)}, "lacks what its schedule needs: every"),
        ({"schedule": "exponential"}, "lacks what its schedule needs: gamma"),
        ({"schedule": "exponential", "hypers": (("gamma", np.nan),)}, "gamma nan is not a finite number"),
        ({"schedule": "exponential", "hypers": (("gamma", 0.0),)}, "gamma 0.0 is not above 0"),
        ({"schedule": "step", "hypers": (("every", 2.5),)}, "every 2.5 is not a whole number of 1 or more"),
        ({"schedule": "step", "hypers": (("every", 0),)}, "every 0 is not a whole number of 1 or more"),
        ({"warmup": -1}, "warmup -1 is not a whole number of 0 or more"),
        ({"warmup": 1.5}, "warmup 1.5 is not a whole number of 0 or more"),
        ({"l2": -0.1}, "l2 -0.1 is not 0 or more"),
        ({"l2": np.nan}, "l2 nan is not a finite number"),
        ({"weight_decay": -0.1}, "weight_decay -0.1 is not 0 or more"),
        ({"weight_decay": np.inf}, "weight_decay inf is not a finite number"),
        ({"clip_norm": 0.0}, "clip_norm 0.0 is not above 0"),
        ({"clip_norm": np.inf}, "clip_norm inf is not a finite number"),
        (
            {"optimizer": "ridge", "alpha": 0.1, "warmup": 2},
            "ridge makes no steps: it has no schedule, warmup, l2, clip_norm or weight_decay",
        ),
        ({"initialiser": "zeros"}, "unknown optimizer or initialiser"),
        ({"architecture": Architecture.parse("dense 1")}, "'dense 1' ends with 1 outputs; y has 2"),
        ({"architecture": Architecture.parse("relu")}, "the last layer must be 'dense N'"),
        ({"architecture": Architecture.parse("(dense 1 | relu) > dense 2")}, r"branches end with \[1, 2\] units"),
        (
            {"initialiser": "assignment-stream", "replicate": 0},
            "not a 1-100-100-1 network, which assignment-stream needs",
        ),
    ],
)
def test_a_spec_that_does_not_fit_is_an_error(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        train([FLEET[0], replace(spec(), **changes)])


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (X[:, 0], Y, r"x has shape \(150,\); it needs two dimensions"),
        (X, Y[:, 0], r"y has shape \(150,\); it needs two dimensions"),
        (X[:10], Y, "x has 10 samples and y has 150"),
        (X[:0], Y[:0], "x has 0 samples and y has 0; both need the same number, at least 1"),
        (X, Y[:, :1], "ends with 2 outputs; y has 1"),
    ],
)
def test_arrays_that_do_not_fit_are_an_error(x: Array, y: Array, message: str) -> None:
    [trained] = train([FLEET[0]])
    with pytest.raises(ValueError, match=message):
        ensemble.train([FLEET[0]], x, y, seed=SEED)
    with pytest.raises(ValueError, match=message):
        ensemble.gradients(FLEET[0].architecture, trained.params, x, y)


def test_parameters_and_inputs_that_do_not_fit_are_an_error() -> None:
    architecture = FLEET[0].architecture
    [trained] = train([FLEET[0]])
    assert ensemble.predict(architecture, trained.params, X[:0]).shape == (0, 2)
    with pytest.raises(ValueError, match=r"params has shape \(5,\); 'dense 2' with 2 inputs needs \(6,\)"):
        ensemble.predict(architecture, trained.params[:5], X)
    with pytest.raises(ValueError, match="'dense 2' with 1 inputs"):
        ensemble.predict(architecture, trained.params, X[:, :1])
    with pytest.raises(ValueError, match="two dimensions"):
        ensemble.predict(architecture, trained.params, X[0])
