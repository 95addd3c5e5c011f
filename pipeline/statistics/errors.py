"""The errors that a table of results has, the one that decides, and what is best by it: decided here alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from shoal.pipeline.errors import OutOfDateError
from shoal.pipeline.hyperparameters import TRAINING
from shoal.pipeline.store import HELD_OUT
from shoal.pipeline.tasks import SPLITS, Cost, Error, Task, reporting

LARGEST = 1e308
"""What an error beyond float64 counts as, of a network that did not diverge: +infinity is for networks that did."""

UNTESTED = (
    "The test rows have no targets: they are predicted (predictions/test_predictions.csv), and nothing is evaluated on "
    "them. Errors are on the validation rows, by which networks are chosen, and so a little too good."
)
Table = pd.DataFrame | pd.Series
"""A table of networks or of cells, of one row at least, or a row of one."""


def bounded(errors: Any) -> Any:
    """The errors, LARGEST where they are beyond float64."""
    return np.where(errors < LARGEST, errors, LARGEST)[()]


def is_judged(cells: pd.DataFrame) -> bool:
    """Whether a table of cells has errors on the split that cells are compared on: test rows may have no targets."""
    error = deciding(cells)
    return not cells[f"{error.of(error.judged)}_median"].isna().all()


def told(cells: pd.DataFrame) -> str:
    """The split whose errors are told of a table of cells: the one judged, or validation where there are none."""
    return deciding(cells).judged if is_judged(cells) else "validation"


def task_of(table: Table) -> Task:
    """The task whose errors a table has."""
    return reporting(str(table["error"].iloc[0] if isinstance(table, pd.DataFrame) else table["error"]))


def errors_of(table: Table) -> list[Error]:
    """The errors that a table has: the first one of the task, and, of several targets, the others."""
    first, *others = task_of(table).errors
    columns = (table.columns if isinstance(table, pd.DataFrame) else table.index).tolist()
    found = [first, *(error for error in others if any(column.startswith(error.of("test")) for column in columns))]
    return [replace(error, judged="validation") for error in found] if HELD_OUT in columns else found


def measures_of(table: Table) -> list[str]:
    """The columns of what the networks of a table have beside their errors; those of cells have the ranks of these."""
    columns = (table.columns if isinstance(table, pd.DataFrame) else table.index).tolist()
    wanted = [measure.of(split) for measure in task_of(table).in_units.measures for split in SPLITS]
    return [name for name in wanted if name in columns or f"{name}_median" in columns]


def costs_of(table: Table) -> list[Cost]:
    """The costs that the networks of a table, or of a row of it, were trained on, each once.

    The column `loss` is only there, and only has a value, where one was asked for.
    """
    column = table.get("loss")
    losses = [column] if not isinstance(column, pd.Series) else list(dict.fromkeys(column))
    default = TRAINING["loss"].default
    names = dict.fromkeys(default if pd.isna(loss) else str(loss) for loss in losses)
    return [task_of(table).trained_on(name) for name in names]


def cost_label(table: Table) -> str:
    """What tables and figures call the costs of a table of networks or cells, which may be of several kinds."""
    costs = costs_of(table)
    return costs[0].label if len(costs) == 1 else "train cost"


def deciding(table: Table) -> Error:
    """The error that decides in a table."""
    return errors_of(table)[-1]


def with_errors(runs: pd.DataFrame, networks: pd.DataFrame) -> pd.DataFrame:
    """Runs with the errors of evaluation/networks.parquet beside them; float64, +infinity where a network diverged.

    Raises OutOfDateError where a run has no errors: then the evaluation is older than the runs.
    """
    errors = errors_of(networks)
    columns = ["sweep", "network_id", "error", *(name for error in errors for name in error.columns)]
    columns += [HELD_OUT] if HELD_OUT in networks else []
    columns += measures_of(networks)
    table = runs.merge(networks[columns], on=["sweep", "network_id"], validate="one_to_one")
    if len(table) < len(runs):
        raise OutOfDateError(f"{len(runs) - len(table)} networks have not been evaluated; run `dvc repro`")
    table["train_cost"] = table["train_cost"].astype("float64").fillna(np.inf)
    return table.assign(**{error.log10: log10(table[error.of(error.judged)]) for error in errors})


def log10(errors: pd.Series) -> np.ndarray:
    """log10 of errors (n,), infinite ones included; -infinity for no error at all."""
    with np.errstate(divide="ignore"):
        logarithms: np.ndarray = np.log10(errors.to_numpy(np.float64))
    return logarithms


def best_cell(cells: pd.DataFrame) -> int | None:
    """Row of the cell with the smallest median validation error; None where every median is of a diverged network."""
    medians = cells[f"{deciding(cells).of('validation')}_median"].to_numpy(np.float64)
    best = int(medians.argmin())
    return None if np.isposinf(medians[best]) else best


def best_first(networks: pd.DataFrame) -> pd.DataFrame:
    """Networks by their validation error, the smallest first; equal ones stay in their order."""
    return networks.sort_values(deciding(networks).of("validation"), kind="stable") if len(networks) else networks


def best_networks(networks: pd.DataFrame) -> pd.DataFrame:
    """Per sweep and cell, in order, the network with the smallest validation error; the smaller id of equal ones."""
    if len(networks):  # few are left to sort
        errors = networks[deciding(networks).of("validation")]
        least = errors.groupby([networks["sweep"], networks["cell"]], sort=False).transform("min")
        networks = networks[~(errors > least)]
    ranked = best_first(networks.sort_values("network_id", kind="stable"))
    return ranked.drop_duplicates(["sweep", "cell"]).sort_index()
