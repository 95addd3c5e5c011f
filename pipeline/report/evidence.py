"""The gradient check, and the network that predicts the test split."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from shoal.pipeline.figures import residuals
from shoal.pipeline.figures.drawing import Drawing
from shoal.pipeline.report.claims.classes import class_blocks, class_plots
from shoal.pipeline.report.claims.divergence import all_diverged
from shoal.pipeline.report.claims.in_units import units_blocks, verdict
from shoal.pipeline.report.claims.wording import counted, listed
from shoal.pipeline.report.document.blocks import Block, Folded, Plot, Section, Table
from shoal.pipeline.report.plots import points_note
from shoal.pipeline.report.result_tables import MOST_ROWS, number
from shoal.pipeline.report.study import Study
from shoal.pipeline.statistics import ensembles
from shoal.pipeline.tasks.classification import CROSS_ENTROPY
from shoal.pipeline.tasks.regression import HALF_MSE

FILES = (
    "Its predictions are in `predictions/test_predictions.csv`; those of the best network of every cell are in "
    "`predictions/all_cells.parquet`."
)
MOST_NAMED = 20
"""Targets without a panel that a caption names."""


def gradient_check(study: Study) -> Section:
    """A row per activation, architectures of their own together; folded, the worst tensor of each architecture."""
    checks, cost = study.checks, CROSS_ENTROPY if study.dataset.classes else HALF_MSE
    named = cost.name if cost in study.costs else f"{cost.name} = {cost.formula} (whatever the loss)"
    n, architectures = int(checks["n_coordinates"].sum()), int(checks["architecture"].nunique())
    text = (
        "Every architecture in use, freshly drawn, on some training samples: gradients of "
        f"{named} by the backward "
        "pass against central differences, at random coordinates of each tensor (W, b, and x, the input). Errors are "
        "relative to the largest gradient of the tensor, or to what rounding leaves to be seen where that is more. "
        f"Over {counted(architectures, 'architecture')} and {counted(n, 'coordinate')} the largest relative "
        f"error is {number(checks['relative_error'].max(), 1)}."
    )
    kinds = checks.groupby(checks["activation"].astype(object).fillna("own architecture"), sort=False)
    rows = [
        [
            str(kind),
            str(part["architecture"].nunique()),
            str(part["n_coordinates"].sum()),
            number(part["max_difference"].max(), 1),
            number(part["relative_error"].max(), 1),
        ]
        for kind, part in kinds
    ]
    header = ["activation", "architectures", "coordinates", "largest difference", "largest relative error"]
    worst = checks.loc[checks.groupby("architecture", sort=False)["relative_error"].idxmax()]
    details = [
        [row["architecture"], row["tensor"], str(row["n_coordinates"]), number(row["max_gradient"])]
        + [number(row[name], 1) for name in ("max_difference", "relative_error")]
        for _, row in (worst if architectures <= MOST_ROWS else worst.nlargest(MOST_ROWS, "relative_error")).iterrows()
    ]
    names = ["architecture", "tensor", "coordinates", "largest gradient", "largest difference", "relative error"]
    which = "each architecture" if architectures <= MOST_ROWS else f"the {MOST_ROWS} architectures that agree worst"
    folded = Folded(Table(f"Of {which} the tensor that agrees worst", names, details))
    return Section("Gradient check", [text, Table("", header, rows), folded])


def test_set(study: Study) -> Section:
    """What predicts the test split, and its errors there, target by target where there are several."""
    chosen, error = study.chosen, study.error
    if chosen is None:
        text = (
            f"{all_diverged(study.sweeps)}: there is none to predict with, and `predictions/test_predictions.csv` has "
            "no predicted values. Smaller learning rates, or standardised columns, may help."
        )
        return Section("Test set", [text])
    blocks: list[Block] = [f"{ensembles.answers(chosen, error, number)} {FILES}"]
    if "ensemble" not in chosen:
        text = f"Cell {chosen['cell']} of sweep {chosen['sweep']}, replicate {chosen['replicate']}: {chosen['why']}."
        row = [chosen["network_id"], *(number(chosen[error.metric(split)]) for split in ("validation", "test"))]
        header = ["network", *(error.label(split) for split in ("validation", "test"))]
        blocks = [f"{text} {FILES}", Table("The chosen network", header, [row])]
    blocks += filter(None, [ensembles.intervals(chosen)])
    blocks += [*_by_target(study), *verdict(study), *units_blocks(study), *class_blocks(study)]
    return Section("Test set", blocks)


@lru_cache
def drawn(study: Study) -> list[Plot]:
    """What the chosen network predicts of the test split, against the truth, and what is left over.

    Of classes, what its probabilities hold.
    """
    if study.baselines is None or not study.y_hats:
        return []
    if study.dataset.classes:
        return class_plots(study)
    y, y_hat, names = study.dataset.test.y, study.y_hats[study.answering]["test"], study.dataset.target_names
    note = _not_drawn(names) + points_note(len(y), "test samples", residuals.points(len(names)))
    predicted = f"Test split, predicted against true: the {study.answering}.{note}"
    left = f"Test split, true minus predicted against predicted: the {study.answering}.{note}"
    return [
        Plot("predicted", predicted, Drawing(residuals.predicted, y, y_hat, names)),
        Plot("residuals", left, Drawing(residuals.residuals, y, y_hat, names)),
    ]


def _not_drawn(names: Sequence[str]) -> str:
    """Which targets have no panel, as a part of a caption."""
    rest = names[residuals.MOST_PANELS :]
    more = len(rest) - MOST_NAMED
    texts = [*rest[:MOST_NAMED], *([f"{more} more"] if more > 0 else [])]
    return f" Not drawn: {listed(texts)}." if rest else ""


def _by_target(study: Study) -> list[Table]:
    """The test error of each target beside its variance, of which the score is made; empty for a single target."""
    if len(study.dataset.target_names) == 1:
        return []
    rows, error, y = [], study.task.error, study.dataset.test.y
    with np.errstate(over="ignore"):
        values = ((study.y_hats[study.answering]["test"] - y) ** 2).mean(axis=0)
    for target, scale, value in zip(study.dataset.target_names, study.dataset.error_scale, values, strict=True):
        rows.append([target, number(value), number(scale**2), number(value / scale**2)])
    label = error.label("test")
    header = ["target", label, "variance on the training rows", f"{label} / variance"]
    return [Table(f"The {study.answering}, target by target", header, rows)]
