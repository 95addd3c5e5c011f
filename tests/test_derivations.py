"""The formulas of the report, in plain NumPy, against the kernels; and the code that the report names exists."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pandas as pd
import pytest
import typst

from shoal.kernels.ensemble import NetworkSpec, gradients, initial_params, predict, train
from shoal.kernels.network.architecture import Architecture
from shoal.kernels.network.losses import LOSSES
from shoal.kernels.network.tape import layout_of
from shoal.kernels.training.methods import METHODS
from shoal.pipeline.report.assignment.derivations import BRANCHES, NUMBERS, derivations, source
from shoal.pipeline.report.document.blocks import Formula, Section
from shoal.pipeline.report.results import SweepResults
from shoal.pipeline.tasks.classification import CROSS_ENTROPY
from shoal.pipeline.tasks.regression import COSTS
from tests import studies

ROOT = Path(__file__).parent.parent
SIGMA_PRIME = {
    "linear": np.ones_like,
    "relu": lambda a: (a > 0).astype(float),
    "tanh": lambda a: 1 - a**2,
    "sigmoid": lambda a: a * (1 - a),
}
SIGMA = {
    "linear": lambda z: z,
    "relu": lambda z: np.maximum(z, 0),
    "tanh": lambda z: (np.exp(z) - np.exp(-z)) / (np.exp(z) + np.exp(-z)),
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
}


@pytest.fixture
def sections() -> list[Section]:
    """All derivations: for sweeps of every kind."""
    architecture = studies.BRANCHES["architecture"]["scalar"] + " > dense 1"
    kinds = [
        SimpleNamespace(
            settings=SimpleNamespace(optimizer=optimizer),
            cells=pd.DataFrame({"architecture": [text]}),
            costs=(*COSTS, CROSS_ENTROPY),
        )
        for optimizer, text in (("adam", "dense 1"), ("ridge", "dense 1"), ("gd", architecture))
    ]
    return derivations(cast(list[SweepResults], kinds))


def drawn(architecture: Architecture, n_features: int) -> np.ndarray:
    return initial_params(NetworkSpec(architecture, "assignment", 0), n_features, 7, 9001)


@pytest.mark.parametrize("activation", SIGMA)
def test_cost_forward_and_backward_pass(activation: str) -> None:
    generator = np.random.default_rng(1)
    x, y = generator.normal(size=(2, 7)), generator.normal(size=(3, 7))
    architecture = Architecture.plain((5, 4), activation, 3)
    params = drawn(architecture, 2)
    found = gradients(architecture, params, x.T, y.T)
    names, weights = [activation, activation, "linear"], [*layout_of(architecture, 2).weights(params)]
    a = [x]
    for name, (W, b) in zip(names, weights, strict=True):
        a.append(SIGMA[name](W @ a[-1] + b[:, None]))
    np.testing.assert_allclose(found.half_mse.sum(), np.mean(np.sum((a[-1] - y) ** 2, axis=0) / 2))
    da = (a[-1] - y) / 7
    for i in (2, 1, 0):
        dz = da * SIGMA_PRIME[names[i]](a[i + 1])
        np.testing.assert_allclose(found.W[i], dz @ a[i].T, rtol=1e-10, atol=1e-14)
        np.testing.assert_allclose(found.b[i], dz.sum(axis=1), rtol=1e-10, atol=1e-14)
        da = weights[i][0].T @ dz
    np.testing.assert_allclose(found.x, da.T, rtol=1e-10, atol=1e-14)


def test_the_input_gradient_of_the_assignments_branches() -> None:
    architecture = Architecture.parse("(dense 1 | relu > dense 1 | relu > relu > dense 1) > dense 1")
    params = drawn(architecture, 1)
    x = np.linspace(-3, 3, 10)[:, None]
    y = np.sin(x)
    (w11, _), (w12, _), (w13, _), (w4, _) = ((W.item(), b) for W, b in layout_of(architecture, 1).weights(params))
    error = predict(architecture, params, x) - y
    by_chain = error * w4 * (w11 + w12 * (x > 0) + w13 * (np.maximum(x, 0) > 0) * (x > 0))
    by_side = error * w4 * np.where(x > 0, w11 + w12 + w13, w11)
    np.testing.assert_allclose(by_chain, by_side)
    np.testing.assert_allclose(len(x) * gradients(architecture, params, x, y).x, by_chain, rtol=1e-12)


def test_the_normal_equations_of_the_ridge_readout() -> None:
    generator = np.random.default_rng(2)
    x, y = generator.normal(size=(50, 2)), generator.normal(size=(50, 2))
    architecture = Architecture.plain((6,), "tanh", 2)
    spec = NetworkSpec(architecture, "assignment", 0, optimizer="ridge", alpha=0.1)
    [fitted] = train([spec], x, y, seed=9001, dtype="float64")
    (W1, b1), (W, b) = layout_of(architecture, 2).weights(fitted.params)
    h = np.tanh(x @ W1.T + b1)
    H, Y = h - h.mean(axis=0), y - y.mean(axis=0)
    np.testing.assert_allclose((H.T @ H + 0.1 * np.eye(6)) @ W.T, H.T @ Y, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(b, y.mean(axis=0) - W @ h.mean(axis=0), rtol=1e-10)


def test_only_what_the_sweeps_need_is_derived(sections: list[Section]) -> None:
    always, extra = derivations([]), ["Ridge regression of the output layer"]
    extra += ["Branches, and the derivative with respect to the input"]
    assert len(always) == 6
    assert [section.title for section in sections] == [*(section.title for section in always), *extra]
    assert len(always[-1].blocks) < len(sections[5].blocks)


def test_every_mark_is_of_something_that_a_study_can_have() -> None:
    marks = set(re.findall(r"^\[only (\w+)\]$", source(), flags=re.MULTILINE))
    assert {"adam", "ridge", BRANCHES} <= marks <= {*METHODS, *LOSSES, BRANCHES, NUMBERS}


def test_each_part_of_the_assignment_has_its_section(sections: list[Section]) -> None:
    assert [section.part for section in sections] == ["", "2b", "2c", "2d", "2e", "2f", "", ""]


def test_nothing_of_the_notation_is_left_in_the_text(sections: list[Section]) -> None:
    """Marks, braces and numbers of the kernels are read, and no formula has a word of Typst's in its plain text."""
    blocks = [block for section in sections for block in section.blocks]
    words = "".join(block for block in blocks if isinstance(block, str))
    assert not re.search(r"[{}|$]|\[only|\[always", words)
    assert "with β₁ = 0.9, β₂ = 0.999 and ε = 1e-08:" in words
    texts = [block.text for block in blocks if isinstance(block, Formula)]
    known = {
        "half",
        "max",
        "min",
        "mse",
        "sum",
        "where",
        "mean",
        "absolute",
        "huber",
        "pinball",
        "sign",
        "cross",
        "entropy",
        "log",
    }
    assert set(re.findall("[a-z]{2,}", " ".join(texts))) == known


def test_an_activation_that_is_not_derived_has_the_formulas_of_its_file() -> None:
    text = "(dense 1 | softsign > dense 1) > relu > dense 1"
    cells = pd.DataFrame({"architecture": [text]})
    results = SimpleNamespace(settings=SimpleNamespace(optimizer="gd"), cells=cells, costs=[])
    blocks = [block for section in derivations(cast(list[SweepResults], [results])) for block in section.blocks]
    assert "softsign: a = z / (1 + |z|), sigma' = (1 - |a|)^2." in blocks
    assert not any(str(block).startswith("relu:") for block in blocks)


def test_every_formula_can_be_typeset(sections: list[Section]) -> None:
    formulas = [block for section in sections for block in section.blocks if isinstance(block, Formula)]
    assert len(formulas) == 22
    assert typst.compile("\n\n".join(f"$ {formula.typst} $" for formula in formulas).encode())


def test_the_code_that_is_named_exists(sections: list[Section]) -> None:
    """In a paragraph on code, every name stands in the file named before it."""
    for section in sections:
        for text in (block for block in section.blocks if isinstance(block, str) and block.startswith("Code:")):
            names = re.findall("`([^`]+)`", text)
            files = [(ROOT / name).read_text() for name in names if name.endswith(".py")]
            assert files
            for name in names:
                assert name.endswith(".py") or any(re.search(rf"\b{name}\b", source) for source in files)
