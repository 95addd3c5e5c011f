"""Which networks answer: one, those of a cell, or the best of all; and what to say of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from shoal.pipeline.config import Choose
from shoal.pipeline.statistics.errors import best_first, deciding
from shoal.pipeline.statistics.splits import SeveralSplits
from shoal.pipeline.store import FOLD
from shoal.pipeline.tasks import Error

ORIGIN = "from {n} rows kept for them"


def members(choose: Choose, networks: pd.DataFrame, error: Callable[[pd.DataFrame], float]) -> pd.DataFrame:
    """The networks that answer, as rows of `networks`, the smallest validation error first; none if all diverged.

    `error(rows)` is the validation error of the mean of these networks. By it the cell is chosen, not by the median of
    its networks, as it is the error of what will answer: a cell of networks that err in different ways may have the
    better mean. Diverged ones are left out; a network that is in several sweeps counts once. Of several splits of the
    rows, networks of each have to answer.
    """
    sound = networks[networks["status"] != "diverged"].sort_values("network_id", kind="stable")
    splits = SeveralSplits.of(networks)
    if choose == "cell" and len(sound):
        cells = [best_first(cell) for _, cell in sound.groupby(["sweep", "cell"])]
        whole = [cell for cell in cells if not splits or cell[FOLD].nunique() == splits.n]
        return min(whole, key=error, default=sound.head(0))
    wanted = choose["best"] if isinstance(choose, dict) else 1
    if splits:
        return _of_every_fold(networks, splits, wanted)
    return best_first(sound).drop_duplicates("network_id").head(wanted)


def _of_every_fold(networks: pd.DataFrame, splits: SeveralSplits, wanted: int) -> pd.DataFrame:
    """The networks of the `wanted` best sets of a cell with one network on each fold, by their mean validation error.

    On one fold alone, a network may have the smallest error because the rows there are easy.
    """
    numbered = networks.assign(set=networks["replicate"] // splits.n).drop_duplicates(["network_id", FOLD])
    column = deciding(networks).of("validation")
    means = numbered.groupby(["sweep", "cell", "set"], sort=False)[column].agg(["mean", "size"])
    whole = means[np.isfinite(means["mean"]) & (means["size"] == splits.n)]["mean"].sort_values(kind="stable")
    keys = ["sweep", "cell", "set"]
    found: pd.DataFrame = whole.head(wanted).reset_index()[keys].merge(numbered, on=keys).drop(columns="set")
    return found


def why(choose: Choose, rows: pd.DataFrame, n_cells: int, n_networks: int, error: Error) -> str:
    """How the networks that answer were found."""
    label, several = error.label("validation"), f"{len(rows)} network{'s' if len(rows) > 1 else ''}"
    splits = SeveralSplits.of(rows)
    label = f"out-of-fold {label}" if splits else label
    if choose == "cell":
        cell = rows.iloc[0]
        found = f"the mean of the {several} of cell {cell['cell']} in sweep {cell['sweep']}"
        return f"{found}, smallest {label} of the means of all {n_cells} cells; the test split had no say"
    asked = choose["best"] if isinstance(choose, dict) else 1
    if splits:
        sets, left = len(rows) // splits.n, n_networks // splits.n
        each = f"{sets} of {asked} asked for" if sets < asked else f"{sets}"
        found = f"the mean of the {several}, {each} on each of {splits.n} folds, with the smallest"
        return f"{found} mean {label} of {left} such sets in {n_cells} cells; the test split had no say"
    short = f" ({asked} are asked for, no more are left)" if len(rows) < asked else ""
    found = f"the mean of the {several}{short} with the smallest {label} of all {n_networks}"
    return f"{found} in {n_cells} cells; the test split had no say"


def answers(choice: Mapping[str, Any], error: Error, number: Callable[[float], str]) -> str:
    """A sentence on the ensemble of a choice (chosen.json) beside the best single network; empty where that answers."""
    if "ensemble" not in choice:
        return ""
    ensemble = choice["ensemble"]
    own = {
        split: f"{error.label(split)} {number(ensemble[error.metric(split)])}"
        for split in ("validation", "test")
        if choice[error.metric(split)] is not None
    }
    if FOLD in choice:
        return f"What answers is {ensemble['why']}: {', '.join(own.values())}."
    beside = [f"{text} ({number(choice[error.metric(split)])})" for split, text in own.items()]
    single = f"the best single network, {choice['network_id']} of cell {choice['cell']} in sweep {choice['sweep']}"
    return f"What answers is {ensemble['why']}: {', '.join(beside)}; in brackets {single}."


def _promised(found: Mapping[str, Any]) -> str:
    """What the theory of CV+ holds for one repeat: 1 - 2 alpha - sqrt(2 / n), alpha = 1 - level."""
    if len(found["out_of_fold"]["folds"][0]) > 1:
        return ""
    least = 2 * found["level"] - 1 - np.sqrt(2 / found["calibration_rows"])
    return f" (at least {max(least, 0):.0%} of new values, were these rows not to stop or choose networks)"


def intervals(choice: Mapping[str, Any]) -> str:
    """A sentence on the prediction intervals of a choice (chosen.json); empty where none are asked for."""
    if "interval" not in choice:
        return ""
    found = choice["interval"]
    covered = {" ".join(name.split()): share for name, share in found["coverage"].items()}
    origin = f"by CV+ from {{n}} rows that folds hold out{_promised(found)}" if "out_of_fold" in found else ORIGIN
    name = f"Prediction intervals of level {found['level']:g}, {origin.format(n=found['calibration_rows'])}"
    shares = [f"{name} in {share:.1%}" for name, share in covered.items() if share is not None]
    if found["calibration_rows"] < found["rows_needed"]:
        return f"{name}: none, as {found['rows_needed']} rows are needed."
    if not shares:
        return f"{name}; what they hold is not known, as the test rows have no targets."
    return f"{name}: of the {found['test_rows']} test rows, they hold {', '.join(shares)}."
