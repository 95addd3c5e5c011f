"""The gradient check on data of any scale: right gradients pass, wrong ones fail, what was not compared is told."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from shoal.kernels.ensemble import Gradients, gradients
from shoal.kernels.network.architecture import Architecture
from shoal.pipeline.stages import gradcheck
from shoal.pipeline.study.grid import Shape

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(20, 3)), RNG.normal(size=(20, 2))
SCALES: dict[str, tuple[np.ndarray, np.ndarray]] = {
    "standardised": (X, Y),
    "targets of hundreds": (X, RNG.uniform(100, 760, (20, 2))),
    "targets of billions": (X, 1e9 * Y),
    "tiny targets": (X, 1e-6 * Y),
    "unlike targets": (X, Y * [1e5, 1e-4]),
    "large inputs": (1e4 * X, Y),
    "tiny inputs": (1e-6 * X, Y),
    "unlike inputs": (X * [1e4, 1.0, 1e-4], Y),
    "inputs of whole numbers": (RNG.integers(0, 2, (20, 3)).astype(float), Y),
    "inputs that are 0": (0 * X, Y),
    "years": (2000 + 10 * X, Y),
}
"""x (20, 3) and y (20, 2), as they come with `standardise: false`."""
NETWORKS = {
    "linear": "dense 2",
    "relu": "dense 30 > relu > dense 30 > relu > dense 2",
    "wide relu": "dense 1000 > relu > dense 2",
    "tanh": "dense 10 > tanh > dense 10 > tanh > dense 2",
    "deep sigmoid": "dense 20 > sigmoid > dense 20 > sigmoid > dense 20 > sigmoid > dense 2",
    "relu of the inputs": "(dense 3 | relu > dense 3 | relu > relu) > dense 2",
}


def check(text: str, x: np.ndarray, y: np.ndarray) -> dict[str, dict[str, Any]]:
    """Rows of the table by tensor."""
    shape = Shape(text, Architecture.parse(text))
    return {row["tensor"]: row for row in gradcheck.check(shape, x, y, 9001)}


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("scale", SCALES)
def test_right_gradients_pass(network: str, scale: str) -> None:
    rows = check(NETWORKS[network], *SCALES[scale])
    gradcheck.refuse(list(rows.values()))
    assert max(row["relative_error"] for row in rows.values()) < 1e-8
    assert all(row["n_coordinates"] > 1 for row in rows.values())
    assert rows["x"]["n_coordinates"] == 10


@pytest.mark.parametrize("by", [1.0001, 0.0, -1.0, 1e9, np.nan])
@pytest.mark.parametrize(
    "scale", ["standardised", "targets of hundreds", "targets of billions", "tiny targets", "large inputs", "years"]
)
def test_every_wrong_gradient_fails(monkeypatch: pytest.MonkeyPatch, scale: str, by: float) -> None:
    def call(*arguments: Any, **options: Any) -> Gradients:
        exact = gradients(*arguments, **options)
        return replace(exact, W=[by * W for W in exact.W], b=[by * b for b in exact.b], x=by * exact.x)

    monkeypatch.setattr(gradcheck, "gradients", call)
    rows = check(NETWORKS["relu"], *SCALES[scale])
    failed = [name for name, row in rows.items() if row["n_coordinates"] and not row["relative_error"] <= 1e-6]
    assert failed == ["W1", "W2", "W3", "b1", "b2", "b3", "x"]


def test_one_wrong_entry_among_many_fails_where_it_is_the_largest(monkeypatch: pytest.MonkeyPatch) -> None:
    def call(*arguments: Any, **options: Any) -> Gradients:
        exact = gradients(*arguments, **options)
        exact.W[1].flat[np.abs(exact.W[1]).argmax()] *= 1.0001
        return exact

    monkeypatch.setattr(gradcheck, "gradients", call)
    assert check(NETWORKS["relu"], X, Y)["W2"]["relative_error"] == pytest.approx(1e-4, rel=1e-3)


def test_a_network_of_dead_units_is_compared_and_equal() -> None:
    """The first layer is far below the kink everywhere: its gradients are 0, and so is every difference."""
    rows = check("relu > dense 2", -1.0 - abs(X), Y)
    assert rows["x"]["n_coordinates"] == 10
    assert (rows["x"]["max_gradient"], rows["x"]["relative_error"]) == (0.0, 0.0)
    assert rows["b1"]["max_gradient"] > 0
    gradcheck.refuse(list(rows.values()))


def test_a_tensor_that_was_not_compared_has_not_passed() -> None:
    """Outputs beyond float64 have no differences."""
    rows = check("dense 20 > linear > dense 2", np.full((20, 3), 1e308), Y)
    assert {name: row["n_coordinates"] for name, row in rows.items()} == dict.fromkeys(["W1", "b1", "W2", "b2", "x"], 0)
    message = (
        "gradient check of 'dense 20 > linear > dense 2', tensor W1 and 4 more: found no coordinate whose derivative "
        "can be measured; allowed: at least one; with data.standardise true, numbers have a size that costs can be "
        "computed of"
    )
    with pytest.raises(gradcheck.GradientError, match=f"^{re.escape(message)}$"):
        gradcheck.refuse(list(rows.values()))
