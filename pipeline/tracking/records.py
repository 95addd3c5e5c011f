"""What the tracking store says of each cell and each network, as plain values."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from shoal.pipeline import store
from shoal.pipeline.hyperparameters import taking
from shoal.pipeline.paths import Paths
from shoal.pipeline.statistics.errors import costs_of, measures_of
from shoal.pipeline.tasks import Cost, Error, Task
from shoal.pipeline.tracking.state import SweepState, network_name
from shoal.pipeline.tracking.thinned import Curve, Curves

PARAMS = [name for name in (*store.CELL_COLUMNS, *store.LATER_COLUMNS) if name not in ("sweep", "cell")]
RANKS = {"median": "", "q1": "_q1", "q3": "_q3"}


def definitions(state: SweepState) -> str:
    """What the numbers of the experiment of a sweep are."""
    first, error = state.task.error, state.error
    trained = "; ".join(f"`{cost.name}` is the cost that is trained, {cost.definition}" for cost in state.costs)
    if state.keeps_best:
        trained += "".join(
            f". `{cost.validation}` is that over the validation split, and `{cost.metric}` that of the parameters for "
            "which it is lowest"
            for cost in state.costs
        )
    text = (
        "A cell's metrics are medians over its networks; `_q1` and `_q3` are quartiles, and a diverged network counts "
        f"as infinite. `{first.metric('test')}` and `{first.metric('validation')}` are the {first.definition} over "
        f"{first.over}, in {first.unit}; {trained}. "
        "`sweep_seconds` and `sweep_gflop_per_second` are those of the training of the whole sweep. "
        "Views, 'Cells by test error' shows the cells of the present results. Figures: Artifacts of the run of the "
        "sweep."
    )
    if error.name == first.name:
        return text
    decide = f"`{error.metric('test')}` and `{error.metric('validation')}` decide"
    return f"{text} With several targets {decide}: the {error.definition}."


def ranked(task: Task, cost: Cost, error: Error, beside: Sequence[str] = ()) -> dict[str, str]:
    """The metrics of cells and networks of this cost where this error decides, and the columns that they are in.

    `beside` are columns of what else is told of them.
    """
    columns: dict[str, str] = {}
    for kind in dict.fromkeys((replace(task.error, judged=error.judged), error)):
        columns |= {kind.metric("test"): kind.of("test"), kind.log10_metric: kind.log10}
        columns |= {kind.metric("validation"): kind.of("validation")}
    return columns | {cost.metric: "train_cost"} | {name: name for name in beside if not name.startswith("train")}


@dataclass(frozen=True)
class Record:
    """One run: `metrics` may be infinite; curves hold (step, value) pairs, finite ones alone, by name."""

    kind: str
    name: str
    params: dict[str, str]
    metrics: dict[str, float]
    curves: Mapping[str, Curve]
    tags: dict[str, str]
    note: str

    @property
    def not_finite(self) -> list[str]:
        """Metrics without a finite value."""
        return [name for name, value in self.metrics.items() if not math.isfinite(value)]


class Records:
    """Makes the record of any cell or network of a state; reads the sweep's curves once."""

    def __init__(self, paths: Paths, state: SweepState) -> None:
        runs = store.read_table(paths.runs(state.sweep), ["network_id", "cell", "status"])
        self._task, self._error = state.task, state.error
        self._members = runs.groupby("cell")["network_id"].agg(list)
        curves = store.LearningCurves(paths.curves(state.sweep))
        stopped = runs.loc[runs["status"] == "stopped", "network_id"]
        self._curves = Curves(curves, stopped=stopped)
        is_validated = store.VALIDATION_COST in curves.columns
        self._validation = Curves(curves, store.VALIDATION_COST, stopped) if is_validated else None
        self._cells = {state.cell_key(cell["cell"]): cell for cell in state.cells}
        self._networks = {
            key: network
            for cell, networks in state.networks.items()
            for key, network in zip(state.network_keys(cell), networks, strict=True)
        }

    def of(self, key: str) -> Record:
        """The record of the cell or network whose run has this key."""
        if key in self._cells:
            return self._cell(self._cells[key])
        return self._network(self._networks[key])

    def _cell(self, cell: dict[str, Any]) -> Record:
        [cost] = costs_of(pd.Series(cell))
        metrics = {
            name + suffix: cell[f"{column}_{rank}"]
            for name, column in ranked(self._task, cost, self._error, measures_of(pd.Series(cell))).items()
            for rank, suffix in RANKS.items()
        }
        metrics["diverged_fraction"] = cell["n_diverged"] / cell["n_networks"]
        members = self._members[cell["cell"]]
        curves = self._curves.band(members, cost.name)
        if self._validation:
            curves |= self._validation.band(members, cost.validation)
        params = _params(cell) | {"n_networks": str(cell["n_networks"])}
        return Record("cell", cell["cell"], params, _numbers(metrics), curves, {}, self._cell_note(cell))

    def _network(self, network: dict[str, Any]) -> Record:
        [cost] = costs_of(pd.Series(network))
        columns = ranked(self._task, cost, self._error, measures_of(pd.Series(network)))
        metrics = {name: network[column] for name, column in columns.items()}
        metrics["diverged_fraction"] = float(network["status"] == "diverged")
        metrics |= {name: network[name] for name in store.STOPPING_COLUMNS if network.get(name) is not None}
        curves = self._curves.single(network["network_id"], cost.name)
        if self._validation:
            curves |= self._validation.single(network["network_id"], cost.validation)
        params = _params(network) | {"replicate": str(network["replicate"])}
        tags = {"shoal.network": network["network_id"]}
        error = f"{self._error.label('test')} {_number(network[self._error.of('test')])}"
        note = f"`{network['architecture']}`, replicate {network['replicate']}: {error}."
        name = f"{network['cell']}-{network_name(network)}"
        return Record("network", name, params, _numbers(metrics), curves, tags, note)

    def _cell_note(self, cell: dict[str, Any]) -> str:
        median, q1, q3 = (_number(cell[f"{self._error.of('test')}_{rank}"]) for rank in RANKS)
        return (
            f"`{cell['architecture']}`, {cell['n_networks']} networks, {cell['n_diverged']} diverged. "
            f"Median {self._error.label('test')} {median}, quartiles {q1} and {q3}."
        )


def _params(row: dict[str, Any]) -> dict[str, str]:
    params = {name: row.get(name) for name in PARAMS}
    if params["batch_size"] is None and params["optimizer"] in taking("batch_size"):
        params["batch_size"] = "full"
    return {name: str(value) for name, value in params.items() if value is not None}


def _numbers(metrics: dict[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in metrics.items() if value is not None}


def _number(error: float | None) -> str:
    if error is None:  # the test rows have no targets
        return "unknown"
    return "diverged" if math.isinf(error) else f"{error:.3e}"
