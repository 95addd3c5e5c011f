"""What the chosen network makes of classes: which it takes for which, and what its probabilities hold."""

from __future__ import annotations

import numpy as np

from shoal.pipeline.report.claims.wording import counted
from shoal.pipeline.report.document.blocks import Block, Table
from shoal.pipeline.report.result_tables import MISSING
from shoal.pipeline.report.study import Study

MOST_CLASSES = 20
"""Classes of a confusion matrix, those with most test rows; all others are one more."""
BINS = 10


def class_blocks(study: Study) -> list[Block]:
    """The confusion matrix and the calibration of what answers on the test rows; empty where targets are numbers."""
    if not study.dataset.classes or not study.y_hats:
        return []
    y, probabilities = study.dataset.test.y, study.y_hats[study.answering]["test"]
    return [
        _confusion(study, y.argmax(axis=1), probabilities.argmax(axis=1)),
        _calibration(study, probabilities.max(axis=1), y.argmax(axis=1) == probabilities.argmax(axis=1)),
    ]


def confusion(true: np.ndarray, predicted: np.ndarray, n_classes: int) -> np.ndarray:
    """Rows of each true class (down) that are taken for each class (across), (n_classes, n_classes)."""
    counts: np.ndarray = np.bincount(true * n_classes + predicted, minlength=n_classes**2).reshape(n_classes, n_classes)
    return counts


def _confusion(study: Study, true: np.ndarray, predicted: np.ndarray) -> Table:
    names = study.dataset.classes.names
    if more := len(names) - MOST_CLASSES if len(names) > MOST_CLASSES else 0:
        sizes = np.bincount(true, minlength=len(names))
        kept = np.sort(np.argsort(-sizes, kind="stable")[:MOST_CLASSES])
        place = np.full(len(names), MOST_CLASSES)
        place[kept] = np.arange(MOST_CLASSES)
        true, predicted = place[true], place[predicted]
        names = [*(names[k] for k in kept), f"{more} others"]
    counts = confusion(true, predicted, len(names))
    rows = [[name, *map(str, row)] for name, row in zip(names, counts, strict=True)]
    caption = f"Confusion matrix of the {study.answering}: test rows of each class, by the likeliest class"
    return Table(caption, ["true ↓ predicted →", *names], rows)


def _calibration(study: Study, probabilities: np.ndarray, is_right: np.ndarray) -> Table:
    """Of what is said to be so probable, how much is right."""
    places = np.minimum((probabilities * BINS).astype(np.int64), BINS - 1)
    rows = []
    for k in range(BINS):
        inside = places == k
        n = int(inside.sum())
        means = [f"{values[inside].mean():.3f}" if n else MISSING for values in (probabilities, is_right)]
        rows.append([f"{k / BINS:.1f} to {(k + 1) / BINS:.1f}", str(n), *means])
    n_rows = counted(len(probabilities), "test row")
    caption = f"Calibration of the {study.answering} on the {n_rows}, by the probability of the likeliest class"
    return Table(caption, ["probability", "rows", "mean probability", "share that is right"], rows)
