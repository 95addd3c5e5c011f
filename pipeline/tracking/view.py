"""The view that the MLflow UI lists under 'Views': the cells of a sweep, smallest test error first."""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any

from shoal.pipeline.hyperparameters import HYPERPARAMETERS
from shoal.pipeline.tasks import Error
from shoal.pipeline.tracking.state import SweepState

SHARE_KEY = "cells"
TAG = f"mlflow.sharedViewState.{SHARE_KEY}"
NAME = "Cells by test error"
AXES = ("activation", *HYPERPARAMETERS)


def saved_view(state: SweepState, created: int) -> str:
    """Value of the tag TAG of an experiment, as MLflow 3 itself writes it; `created` in ms since 1970."""
    shown = [f"metrics.`{name}`" for name in _metrics(state.error)] + [
        f"params.`{name}`" for name in _told_apart_by(state.cells)
    ]
    view = {
        "searchFilter": f"tags.`shoal.state` = '{state.digest}' AND tags.`shoal.kind` = 'cell'",
        "orderByKey": f"metrics.`{state.error.metric('test')}`",  # not its logarithm: an error of 0 has none
        "orderByAsc": True,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "selectedColumns": shown,
    }
    packed = base64.b64encode(zlib.compress(json.dumps(view).encode())).decode()
    times = {"createdAt": created, "updatedAt": created}
    return json.dumps({"name": NAME, **times, "state": f"deflate;{packed}"})


def address(experiment_id: str) -> str:
    """Where below a tracking server's address an experiment is shown in this view."""
    return f"#/experiments/{experiment_id}/runs?workflowType=machine_learning&viewStateShareKey={SHARE_KEY}"


def _metrics(error: Error) -> list[str]:
    test = error.metric("test")
    return [error.log10_metric, test, f"{test}_q1", f"{test}_q3", "diverged_fraction"]


def _told_apart_by(cells: list[dict[str, Any]]) -> list[str]:
    """Parameters in which the cells differ; the sizes layer by layer only where they are not all of one width."""
    varying = [name for name in AXES if len({cell.get(name) for cell in cells}) > 1]
    if all(cell["width"] is not None for cell in cells):
        varying = [name for name in varying if name != "hidden_sizes"]
    return varying or ["architecture"]
