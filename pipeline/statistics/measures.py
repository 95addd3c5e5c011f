"""Predictions of the splits, target by target in the targets' own units."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from shoal.pipeline.data import Dataset
from shoal.pipeline.tasks import SPLITS

Predict = Callable[[str], np.ndarray]
"""y_hat (n, n_outputs) of a split of this name, in the targets' own units."""


def by_target(dataset: Dataset, predict: Predict) -> pd.DataFrame:
    """A row a target: a column for each measure of the task and split, NaN where it is undefined or beyond float64."""
    outputs = dataset.outputs_of
    measures = dataset.task.in_units.defined(len(outputs[0]))
    rows: list[dict[str, float]] = [{} for _ in dataset.target_names]
    with np.errstate(over="ignore", invalid="ignore"):
        for split in SPLITS:
            y, y_hat = getattr(dataset, split).y, predict(split)
            for own, row in zip(outputs, rows, strict=True):
                row |= {measure.of(split): measure.measure(y_hat[:, own], y[:, own]) for measure in measures}
    table = pd.DataFrame(rows, columns=[measure.of(split) for measure in measures for split in SPLITS])
    return table.where(np.isfinite(table)).assign(target=list(dataset.target_names))
