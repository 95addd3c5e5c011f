"""The gradient check, and the network that predicts the test split."""

from __future__ import annotations

from typing import Any

from shoal.pipeline.report.claims.divergence import all_diverged
from shoal.pipeline.report.claims.wording import counted
from shoal.pipeline.report.document.blocks import Block, Folded, Section, Table
from shoal.pipeline.report.result_tables import number
from shoal.pipeline.report.study import Study
from shoal.pipeline.tasks.regression import HALF_MSE


def gradient_check(study: Study) -> Section:
    """A row per activation, architectures of their own together; folded, the worst tensor of each architecture."""
    checks, cost = study.checks, HALF_MSE
    named = cost.name if cost in study.costs else f"{cost.name} = {cost.formula}"
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
        for _, row in worst.iterrows()
    ]
    names = ["architecture", "tensor", "coordinates", "largest gradient", "largest difference", "relative error"]
    folded = Folded(Table("Of each architecture the tensor that agrees worst", names, details))
    return Section("Gradient check", [text, Table("", header, rows), folded])


def test_set(study: Study) -> Section:
    """The network that predicts the test split, and its errors there, target by target where there are several."""
    chosen, error = study.chosen, study.error
    if chosen is None:
        text = (
            f"{all_diverged(study.sweeps)}: there is none to predict with, and `predictions/test_predictions.csv` has "
            "no predicted values. Smaller learning rates, or standardised columns, may help."
        )
        return Section("Test set", [text])
    text = (
        f"Cell {chosen['cell']} of sweep {chosen['sweep']}, replicate {chosen['replicate']}: {chosen['why']}. Its "
        "predictions are in `predictions/test_predictions.csv`; those of the best network of every cell are in "
        "`predictions/all_cells.parquet`."
    )
    row = [chosen["network_id"], *(number(chosen[error.metric(split)]) for split in ("validation", "test"))]
    header = ["network", *(error.label(split) for split in ("validation", "test"))]
    blocks: list[Block] = [text, Table("The chosen network", header, [row])]
    return Section("Test set", [*blocks, *_by_target(study, chosen)])


def _by_target(study: Study, chosen: dict[str, Any]) -> list[Table]:
    """The test error of each target beside its variance, of which the score is made; empty for a single target."""
    if study.dataset.n_outputs == 1:
        return []
    [networks] = (results.networks for results in study.sweeps if results.name == chosen["sweep"])
    network = networks.set_index("network_id").loc[chosen["network_id"]]
    rows, error = [], study.task.error
    for target, scale in zip(study.dataset.target_names, study.dataset.error_scale, strict=True):
        value = network[f"{error.of('test')}_{target}"]
        rows.append([target, number(value), number(scale**2), number(value / scale**2)])
    label = error.label("test")
    header = ["target", label, "variance on the training rows", f"{label} / variance"]
    return [Table("The chosen network, target by target", header, rows)]
