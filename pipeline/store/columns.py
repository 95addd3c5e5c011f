"""The columns of every result table, and what a result file has to hold."""

from __future__ import annotations

from collections.abc import Collection

from shoal.pipeline.hyperparameters import FIRST, KEYS, SHAPE, TRAINING

RUN_COLUMNS: dict[str, str] = {
    "network_id": "string",
    "sweep": "string",
    "cell": "string",
    "architecture": "string",
    "activation": "string",
    **{name: str(row.column) for name, row in SHAPE.items()},
    "n_features": "Int64",
    "n_outputs": "Int64",
    "optimizer": "string",
    **{name: str(TRAINING[name].column) for name in FIRST},
    "replicate": "Int64",
    "dtype": "string",
    "status": "string",
    "diverged_step": "Int64",
    "train_cost": "Float64",
}
"""Columns of runs.parquet and their pandas types; what does not apply to a network is null."""

LATER_COLUMNS = {name: column for name in KEYS if (column := TRAINING[name].column) is not None and name not in FIRST}
"""Columns of the hyper-parameters that only those result tables have in which a network makes use of them."""

FOLD, HELD_OUT, N_FOLDS = "fold", "held_out", "folds"
"""Columns where rows are validated on in folds alone: in runs.parquet and networks.parquet the fold that a network does
without; in networks.parquet and cells.parquet its rows over those trained on; in cells.parquet the number of folds."""

STOPPING_COLUMNS = {"stopped_step": "Int64", "best_step": "Int64"}
"""Columns of runs.parquet where validation costs stopped a network, or chose the parameters that it keeps."""

VALIDATION_COST = "validation_cost"
"""The column of curves.parquet that is there where a network takes validation costs. Either cost is null at the steps
that only the other one was taken at."""

CELL_COLUMNS = [
    "sweep", "cell", "architecture", "activation", *SHAPE, "optimizer", *FIRST, "dtype",
]  # fmt: skip
"""Columns that describe a cell, the same for all its replicates; LATER_COLUMNS come after them."""

CONTRAST_COLUMNS: dict[str, str] = {
    "sweep": "string",
    "axis": "string",  # what a and b differ in: series (activation or architecture), depth, width, ...
    "a": "string",  # names of the two cells, and their levels on the axis
    "b": "string",
    "level_a": "string",
    "level_b": "string",
    "n_pairs": "Int64",  # replicates; in how many of them each cell has the smaller error
    "a_smaller": "Int64",
    "b_smaller": "Int64",
    "log10_ratio": "Float64",  # typical log10 of error a / error b; infinite where one typically diverged or is 0
    "p": "Float64",  # of the signed-rank test; null for fewer than 10 replicates, as is p_holm; of folds of the t-test
    "p_holm": "Float64",  # adjusted for all contrasts of the sweep
    "p_smallest": "Float64",  # the least p_holm that so many replicates could have given
    "verdict": "string",
}
"""Columns of contrasts.parquet and their pandas types; errors are those that decide, of test rows or out of fold."""

HELD: dict[str, Collection[str]] = {
    "runs.parquet": RUN_COLUMNS,
    "curves.parquet": ["network_id", "step", "cost"],
    "weights.parquet": ["network_id", "params"],
    "networks.parquet": [
        "network_id", "sweep", "cell", "replicate", "status", "error", "train_error", "validation_error", "test_error",
    ],
    "cells.parquet": [
        *CELL_COLUMNS, "error", "n_networks", "n_diverged", "diverged_fraction",
        *(
            f"{error}_{rank}"
            for error in ("train_error", "validation_error", "test_error", "train_cost")
            for rank in ("median", "q1", "q3", "min", "max")
        ),
    ],
    "contrasts.parquet": CONTRAST_COLUMNS,
    "baselines.parquet": ["baseline", "target", "penalty", "error", "train_error", "validation_error", "test_error"],
    "gradcheck.parquet": [
        "architecture", "activation", "tensor", "n_coordinates", "max_difference", "max_gradient", "relative_error",
    ],
    "data.json": ["feature_names", "target_names", "x_scaling", "y_scaling", "data_hash"],
    "study.json": ["report"],
    "chosen.json": ["network_id", "sweep", "cell", "architecture", "why"],
}  # fmt: skip
"""Columns or keys that are read of a result file, by its name: one that lacks any is of an older version.

Costs and errors have these names whatever the task; `error` has the name of the one that is reported.
"""

A_BEATS_B, B_BEATS_A, NOT_SHOWN, UNTESTABLE = "a beats b", "b beats a", "not shown", "untestable"
"""Verdicts: shown at 5 % over the whole sweep, not shown, or not to be shown with so few replicates."""
