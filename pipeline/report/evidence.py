"""The gradient check, and the network that predicts the test split."""

from __future__ import annotations

from typing import Any

import pandas as pd

from pipeline.report.document import Folded, Section
from pipeline.report.tables import Table, number
from pipeline.report.wording import counted


def gradient_check(checks: pd.DataFrame) -> Section:
    """A row per activation, architectures of their own together; folded, the worst tensor of each architecture."""
    n, architectures = int(checks["n_coordinates"].sum()), int(checks["architecture"].nunique())
    text = (
        "Every architecture in use, freshly drawn, on some training samples: gradients of half_mse by the backward "
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
    return Section("Gradient check", [text, Table("", header, rows), folded], part="2e")


def test_set(chosen: dict[str, Any]) -> Section:
    """The network that predicts the test split, and its error there."""
    text = (
        f"Cell {chosen['cell']} of sweep {chosen['sweep']}, replicate {chosen['replicate']}: {chosen['why']}. Its "
        "predictions are in `predictions/test_predictions.csv`; those of the best network of every cell are in "
        "`predictions/all_cells.parquet`."
    )
    row = [chosen["network_id"], number(chosen["validation_mse"]), number(chosen["test_mse"])]
    table = Table("The chosen network", ["network", "validation mse", "test mse"], [row])
    return Section("Test set", [text, table])
