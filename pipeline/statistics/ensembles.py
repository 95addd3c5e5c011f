"""Which networks answer: one, those of a cell, or the best of all; and what to say of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from shoal.pipeline.config import Choose
from shoal.pipeline.statistics.errors import best_first
from shoal.pipeline.tasks import Error


def members(choose: Choose, networks: pd.DataFrame, error: Callable[[pd.DataFrame], float]) -> pd.DataFrame:
    """The networks that answer, as rows of `networks`, the smallest validation error first; none if all diverged.

    `error(rows)` is the validation error of the mean of these networks. By it the cell is chosen, not by the median of
    its networks, as it is the error of what will answer: a cell of networks that err in different ways may have the
    better mean. Diverged ones are left out; a network that is in several sweeps counts once.
    """
    sound = networks[networks["status"] != "diverged"].sort_values("network_id", kind="stable")
    ranked = best_first(sound).drop_duplicates("network_id")
    if choose == "cell" and len(sound):
        cells = [best_first(cell) for _, cell in sound.groupby(["sweep", "cell"])]
        return min(cells, key=error)
    return ranked.head(choose["best"] if isinstance(choose, dict) else 1)


def why(choose: Choose, rows: pd.DataFrame, n_cells: int, n_networks: int, error: Error) -> str:
    """How the networks that answer were found."""
    label, several = error.label("validation"), f"{len(rows)} network{'s' if len(rows) > 1 else ''}"
    if choose == "cell":
        cell = rows.iloc[0]
        found = f"the mean of the {several} of cell {cell['cell']} in sweep {cell['sweep']}"
        return f"{found}, smallest {label} of the means of all {n_cells} cells; the test split had no say"
    asked = choose["best"] if isinstance(choose, dict) else 1
    short = f" ({asked} are asked for, no more are left)" if len(rows) < asked else ""
    found = f"the mean of the {several}{short} with the smallest {label} of all {n_networks}"
    return f"{found} in {n_cells} cells; the test split had no say"


def answers(choice: Mapping[str, Any], error: Error, number: Callable[[float], str]) -> str:
    """A sentence on the ensemble of a choice (chosen.json) beside the best single network; empty where that answers."""
    if "ensemble" not in choice:
        return ""
    ensemble = choice["ensemble"]
    of_splits = [
        f"{error.label(split)} {number(ensemble[error.metric(split)])} ({number(choice[error.metric(split)])})"
        for split in ("validation", "test")
        if choice[error.metric(split)] is not None
    ]
    single = f"the best single network, {choice['network_id']} of cell {choice['cell']} in sweep {choice['sweep']}"
    return f"What answers is {ensemble['why']}: {', '.join(of_splits)}; in brackets {single}."


def intervals(choice: Mapping[str, Any]) -> str:
    """A sentence on the prediction intervals of a choice (chosen.json); empty where none are asked for."""
    if "interval" not in choice:
        return ""
    found = choice["interval"]
    covered = {" ".join(name.split()): share for name, share in found["coverage"].items()}
    shares = [f"{name} in {share:.1%}" for name, share in covered.items() if share is not None]
    name = f"Prediction intervals of level {found['level']:g}, from {found['calibration_rows']} rows kept for them"
    if found["calibration_rows"] < found["rows_needed"]:
        return f"{name}: none, as {found['rows_needed']} rows are needed."
    if not shares:
        return f"{name}; what they hold is not known, as the test rows have no targets."
    return f"{name}: of the {found['test_rows']} test rows, they hold {', '.join(shares)}."
