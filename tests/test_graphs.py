"""A study of residual blocks, concatenations and dropout, through every stage that has networks in it."""

from __future__ import annotations

import html
from typing import Any

import numpy as np
import pytest

from shoal.kernels.network.tape import layout_of
from shoal.pipeline import store
from shoal.pipeline.paths import Paths
from shoal.pipeline.stages import gradcheck, report
from shoal.pipeline.study.check import load
from tests import naive, studies

SWEEPS: dict[str, Any] = {
    "graphs": {
        "architecture": {
            "residual": "dense 6 > relu > (skip | dense 5 > tanh > dropout 0.3 > dense 6) > relu",
            "wide": "((skip | relu) & dense 3 > tanh & dropout 0.2 > dense 2)",
        },
        "learning_rate": 0.05,
        "batch_size": ["full", 20],
        "steps": 40,
        "replicates": 2,
    }
}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    paths = studies.complete(tmp_path_factory.mktemp("graphs"), SWEEPS, source="file")
    gradcheck.run(paths)
    report.run(paths)
    return paths


def test_errors_are_those_of_the_whole_network(study: Paths) -> None:
    """Dropout is over when training is: the oracle's outputs, without masks, have the errors in the table."""
    _, dataset = load(study)
    x, y, networks = dataset.inputs(dataset.test), dataset.test.y, store.read_table(study.networks)
    assert len(networks) == 2 * 2 * 2
    for network_id, mse in zip(networks["network_id"], networks["test_error"], strict=True):
        network = store.load_network(study, ["graphs"], network_id)
        weights = [*layout_of(network.architecture, dataset.n_features).weights(network.params)]
        y_hat = dataset.y_scaling.undo(naive.forward(network.architecture, weights, x))
        assert mse == pytest.approx(np.mean((y_hat - y) ** 2), rel=1e-9)


def test_the_gradient_check_has_every_tensor_of_a_graph(study: Paths) -> None:
    table = store.read_table(study.gradcheck)
    tensors = {text: len(part) for text, part in table.groupby("architecture")}
    assert sorted(tensors.values()) == [2 * 3 + 1, 2 * 4 + 1]
    assert table["relative_error"].max() <= 1e-6


def test_the_report_draws_them(study: Paths) -> None:
    page = html.unescape(study.report.read_text(encoding="utf-8"))
    for name, text in SWEEPS["graphs"]["architecture"].items():
        assert f"{name}: {text} > dense 2" in page
