"""What the chosen network makes of classes: which it takes for which, and what its probabilities hold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from shoal.pipeline.baselines.logistic import LOGISTIC
from shoal.pipeline.figures import classes, style
from shoal.pipeline.figures.drawing import Drawing
from shoal.pipeline.report.claims.wording import counted
from shoal.pipeline.report.document.blocks import Block, Plot, Table
from shoal.pipeline.report.study import Study
from shoal.pipeline.statistics import probabilities
from shoal.pipeline.statistics.probabilities import Bin
from shoal.pipeline.tasks.classification import AUC

MOST_CLASSES = 20
"""Classes of a confusion matrix, those with most test rows; all others are one more."""


@dataclass(frozen=True)
class Calibration:
    """What probabilities are of: `whose` in words, and what is so (a `share` of rows)."""

    whose: str
    share: str
    bins: list[Bin]


def class_blocks(study: Study) -> list[Block]:
    """The confusion matrix and the calibration of what answers on the test rows; empty where targets are numbers."""
    if not study.dataset.classes or not study.y_hats:
        return []
    y, y_hat = study.dataset.test.y, study.y_hats[study.answering]["test"]
    return [_confusion(study, y.argmax(axis=1), y_hat.argmax(axis=1)), _calibration_table(study)]


def class_plots(study: Study) -> list[Plot]:
    """The calibration of what answers, and of two classes that both occur, its ROC curve beside the baseline's."""
    found, y = _calibration(study), study.dataset.test.y
    caption = (
        f"Calibration of the {study.answering} on the test split: {found.share} against {found.whose}, in bins of "
        "equal width, with 95 % intervals. Where probabilities hold what they say, points are on the line."
    )
    labels = (style.name(f"mean {found.whose}"), style.name(found.share))
    plots = [Plot("calibration", caption, Drawing(classes.calibration, found.bins, *labels))]
    is_second = y[:, -1] == 1
    if y.shape[1] > 2 or is_second.all() or not is_second.any():
        return plots
    first, second = study.dataset.classes.names
    curves = {}
    for name in (study.answering, LOGISTIC.name):
        y_hat = study.y_hats[name]["test"]
        label = f"{name}, {AUC.name} {AUC.measure(y_hat, y):.3f}"
        curves[label] = probabilities.roc(y_hat[:, 1], is_second)
    x_label, y_label = (style.name(f"share of {name} taken for {second}") for name in (first, second))
    caption = (
        f"ROC curve on the test split: the share of the rows of {second} that are taken for it, against that of the "
        f"rows of {first}, where the probability has to be above a threshold, at all thresholds. On the line is chance."
    )
    return [*plots, Plot("roc", caption, Drawing(classes.roc, curves, x_label, y_label))]


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


def _calibration(study: Study) -> Calibration:
    """That of the probability of the second of two classes, or of the likeliest class of more."""
    y, y_hat = study.dataset.test.y, study.y_hats[study.answering]["test"]
    if y.shape[1] == 2:
        name = study.dataset.classes.names[1]
        found = probabilities.bins(y_hat[:, 1], y[:, 1] == 1)
        return Calibration(f"probability of {name}", f"share that is {name}", found)
    found = probabilities.bins(y_hat.max(axis=1), y.argmax(axis=1) == y_hat.argmax(axis=1))
    return Calibration("probability of the likeliest class", "share that is right", found)


def _calibration_table(study: Study) -> Table:
    """Of what is said to be so probable, how much is so."""
    found, n = _calibration(study), len(study.dataset.test.y)
    rows = [
        [
            f"{one.start:.1f} to {one.end:.1f}",
            str(one.n),
            f"{one.mean:.3f}",
            f"{one.share:.3f}",
            f"{one.low:.3f} to {one.high:.3f}",
        ]
        for one in found.bins
    ]
    caption = f"Calibration of the {study.answering} on the {counted(n, 'test row')}, by the {found.whose}"
    return Table(caption, ["probability", "rows", "mean probability", found.share, "its 95 % interval"], rows)
