"""The gradient check: passes for every architecture of a study, and fails for gradients that are wrong."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shoal.kernels.ensemble import Gradients, gradients
from shoal.kernels.network.architecture import Architecture
from shoal.pipeline import store
from shoal.pipeline.errors import ShoalError
from shoal.pipeline.paths import Paths
from shoal.pipeline.stages import gradcheck
from shoal.pipeline.study.grid import Shape
from tests import studies

COLUMNS = "architecture activation tensor n_coordinates max_difference max_gradient relative_error"


@pytest.fixture(params=["function", "file"])
def study(request: pytest.FixtureRequest, tmp_path: Path) -> Paths:
    return studies.train(studies.write(tmp_path, source=request.param), [])


def test_it_passes_for_every_architecture_and_tensor(study: Paths) -> None:
    facts = gradcheck.run(study)
    table = store.read_table(study.gradcheck)
    assert list(table) == COLUMNS.split()
    n_outputs = len(store.read_json(study.data / "data.json")["target_names"])
    tensors = {key: set(part["tensor"]) for key, part in table.groupby("architecture")}
    # sizes: 8 plain networks; ridge and batch: 2 each; rates: tanh 4; branches: 2
    assert facts["architectures"] == len(tensors) == 8 + 2 + 2 + 1 + 2
    assert tensors[f"dense 3 > tanh > dense 3 > tanh > dense {n_outputs}"] == {"W1", "b1", "W2", "b2", "W3", "b3", "x"}
    assert tensors[f"(dense 1 | relu > dense 1) > dense {n_outputs}"] == {"W1", "b1", "W2", "b2", "W3", "b3", "x"}
    assert table["relative_error"].between(0, 1e-6).all()
    assert table["n_coordinates"].between(1, 10).all()
    assert (table["max_gradient"] > 0).any()
    assert table["relative_error"].max() == facts["worst_relative_error"]
    assert table["activation"].isna().sum() == 7 + 9, "the two branch networks have no single activation"


def spoilt(tensor: str, how: str) -> Any:
    """The real gradients, but for one entry of one tensor."""

    def change(values: np.ndarray) -> np.ndarray:
        values = values.copy()
        values.flat[np.abs(values).argmax()] *= np.nan if how == "nan" else 1.001
        return values

    def call(*arguments: Any, **options: Any) -> Gradients:
        exact = gradients(*arguments, **options)
        parts = list(getattr(exact, tensor))
        changes: dict[str, Any] = {tensor: [*parts[:-1], change(parts[-1])]}
        return replace(exact, **changes)

    return call


@pytest.mark.parametrize("how", ["slightly", "nan"])
@pytest.mark.parametrize("tensor", ["W", "b"])
def test_it_fails_for_a_wrong_gradient_and_writes_nothing(
    study: Paths, monkeypatch: pytest.MonkeyPatch, tensor: str, how: str
) -> None:
    monkeypatch.setattr(gradcheck, "gradients", spoilt(tensor, how))
    with pytest.raises(ShoalError, match=f"^gradient check of '.*', tensor {tensor}2.*relative error of .*up to 1e-06"):
        gradcheck.run(study)
    assert not study.gradcheck.exists()


def test_it_fails_for_a_wrong_input_gradient(study: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only some of the samples are looked at, so that all are made wrong here."""

    def call(*arguments: Any, **options: Any) -> Gradients:
        exact = gradients(*arguments, **options)
        return replace(exact, x=1.001 * exact.x)

    monkeypatch.setattr(gradcheck, "gradients", call)
    message = r"tensor x and 14 more: found a relative error of 1\.0e-03; allowed: up to 1e-06"
    with pytest.raises(ShoalError, match=message):
        gradcheck.run(study)


def test_an_architecture_is_checked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checked, check = list[str](), gradcheck.check
    sizes = studies.SIZES | {"depth": 1, "activation": "relu", "learning_rate": 0.02}
    study = studies.train(studies.write(tmp_path, {"sizes": sizes}), [])

    def told(shape: Shape, *of: Any) -> list[dict[str, Any]]:
        checked.append(str(shape.architecture))
        return check(shape, *of)

    monkeypatch.setattr(gradcheck, "check", told)
    gradcheck.run(study)
    assert len(checked) == 2
    studies.write(study.root, {"sizes": sizes | {"width": [3, 4, 5]}, "others": sizes})
    gradcheck.run(study)
    assert [name.partition(" >")[0] for name in checked[2:]] == ["dense 4"]
    known = study.gradcheck.read_bytes()
    kept = study.store / "gradcheck.json"
    kept.write_text(kept.read_text(encoding="utf-8").replace("relu", "tanh"), encoding="utf-8")
    gradcheck.run(study)
    assert len(checked) == 3 + 3, "a damaged file knows nothing"
    assert study.gradcheck.read_bytes() == known


def test_what_is_known_of_an_architecture_has_the_name_that_it_has_now(tmp_path: Path) -> None:
    sizes = studies.SIZES | {"depth": 1, "width": 3, "activation": "relu", "learning_rate": 0.02}
    own = {"architecture": {"own": "dense 3 > relu"}, "learning_rate": 0.02, "steps": 3}
    study = studies.train(studies.write(tmp_path, {"sizes": sizes}), [])
    for sweep, activation in ((sizes, "relu"), (own, None), (sizes, "relu")):
        gradcheck.run(studies.write(study.root, {"sizes": sweep}))
        assert set(store.read_table(study.gradcheck)["activation"]) == {activation}


def test_classes_are_checked_by_their_own_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "dense 5 > relu > (skip | dense 5 > tanh) > dense 3"
    shape, x = Shape("graph", Architecture.parse(text)), np.random.default_rng(1).normal(size=(20, 4))
    of = shape, x, np.eye(3)[np.arange(20) % 3], 9001, "cross_entropy"
    right = gradcheck.check(*of)
    gradcheck.refuse(right)
    assert all(row["n_coordinates"] == 10 or row["tensor"] in ("b3", "x") for row in right if row["tensor"][0] == "W")
    monkeypatch.setattr(gradcheck, "gradients", lambda *arguments, loss: gradients(*arguments))
    assert all(row["relative_error"] > 1e-2 for row in gradcheck.check(*of))
