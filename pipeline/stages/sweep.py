"""Stage `sweep@NAME`: train every network of one sweep."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from shoal.kernels.ensemble import NetworkSpec, Samples, Trained, predict
from shoal.pipeline import progress, store
from shoal.pipeline.data import Dataset
from shoal.pipeline.paths import Paths
from shoal.pipeline.provenance import machine, made_from, receipts
from shoal.pipeline.stages import _stage
from shoal.pipeline.store.entries import Store, folder_of
from shoal.pipeline.study.check import load
from shoal.pipeline.study.flops import sweep_flops
from shoal.pipeline.study.grid import Cell, cells
from shoal.pipeline.study.identity import identifier
from shoal.pipeline.study.training import trained
from shoal.pipeline.tasks import Cost


@receipts.kept(made_from.sweep)
def run(paths: Paths, name: str) -> dict[str, Any]:
    """Write results/<name>/{runs,curves,weights}.parquet; returns counts, time and machine for the log.

    Raises ConfigError where params.yaml is bad, or asks for what the data cannot give.
    """
    settings, dataset = load(paths)
    grid, parts = cells(settings.sweep(name), dataset.n_outputs, dataset.n_train), dataset.parts
    store.refuse_unwritable(paths.runs(name), paths.curves(name), paths.weights(name))
    networks = [(cell, spec) for cell in grid for spec in cell.specs(len(parts))]
    specs = [spec for _, spec in networks]
    of = [spec.replicate % len(parts) for spec in specs]
    is_validated = any(spec.is_validated for spec in specs)
    data = [samples(part, is_validated) for part in parts]
    identifiers = [identifier(settings, part) for part in parts]
    ids = [identifiers[part](spec) for part, spec in zip(of, specs, strict=True)]
    kept = Store(folder_of(paths))
    with progress.bar(f"sweep {name}", "networks") as advance:
        told = advance, progress.note
        training = trained(specs, ids, data, of, kept, *told, seed=settings.seed, dtype=settings.dtype)
    results, own = training.results, [parts[i] for i in of]
    costs, scales = [dataset.task.trained_on(spec.loss) for spec in specs], [part.y_scaling.scale for part in own]
    outcomes = [outcome(*found) for found in zip(results, costs, scales, strict=True)]
    train_costs = [train_cost(*found) for found in zip(specs, results, outcomes, costs, own, strict=True)]
    common = {"sweep": name, "n_outputs": dataset.n_outputs, "dtype": settings.dtype}
    rows = [
        {"network_id": key, **common, **_row(cell, spec, end), "n_features": part.n_inputs, "train_cost": cost}
        for key, (cell, spec), end, cost, part in zip(ids, networks, outcomes, train_costs, own, strict=True)
    ]
    if dataset.folds:
        rows = [row | {store.FOLD: i} for row, i in zip(rows, of, strict=True)]
    store.write_table(paths.runs(name), store.runs_table(rows))
    store.write_table(paths.curves(name), _curves(ids, networks, outcomes))
    params = pd.DataFrame({"network_id": ids, "params": [result.params for result in results]})
    store.write_table(paths.weights(name), params)
    steps = [_steps_taken(spec, end) for spec, end in zip(specs, outcomes, strict=True)]
    flops = 0.0
    for k, part in enumerate(parts):
        sizes = (part.n_inputs, len(part.train.x), len(part.validation.x))
        flops += sweep_flops(((specs[i], steps[i]) for i in training.trained if of[i] == k), *sizes)
    stopped = {"stopped": sum(row["status"] == "stopped" for row in rows)} if is_validated else {}
    return {
        "networks": len(rows),
        "known": len(rows) - len(training.trained),
        "trained": len(training.trained),
        "diverged": sum(row["status"] == "diverged" for row in rows),
        **stopped,
        "training_seconds": round(training.seconds, 4),
        "gflop": round(flops / 1e9, 6),
        "gflop_per_second": round(flops / 1e9 / training.seconds, 4) if training.trained else None,
        "results": store.file_hash(paths.runs(name)),
        **machine.facts(),
    }


def samples(dataset: Dataset, is_validated: bool) -> Samples:
    """The standardised training split as the engine takes it, with the validation split where networks need that."""
    train, validation = (
        Samples(dataset.inputs(part), dataset.outputs(part)) for part in (dataset.train, dataset.validation)
    )
    return replace(train, validation=validation) if is_validated else train


@dataclass(frozen=True)
class Outcome:
    """What became of a network, in the targets' own units.

    `cost` (n,) at `steps` (n,) is its learning curve, all of it finite, `validation_cost` (m,) at `validated` (m,) that
    over the validation split, infinite beyond float64; m is 0 where the network takes none. It stopped early at
    `stopped_step`, and keeps the parameters of `best_step`; None where it does not.
    """

    steps: np.ndarray
    cost: np.ndarray
    diverged_step: int | None
    stopped_step: int | None = None
    best_step: int | None = None
    validated: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    validation_cost: np.ndarray = field(default_factory=lambda: np.zeros(0))

    @property
    def status(self) -> str:
        """One of diverged, stopped (early, by its validation cost) and ok; a stopped network is as good as any."""
        if self.diverged_step is not None:
            return "diverged"
        return "ok" if self.stopped_step is None else "stopped"


def outcome(result: Trained, trained_on: Cost, scale: np.ndarray) -> Outcome:
    """Undo the standardisation of targets with `scale` (n_outputs,), as the cost that the network was trained on does.

    A cost that float64 holds only in standardised units is not finite in the user's own: there the network diverged.
    """
    with np.errstate(over="ignore"):
        cost = trained_on.in_units(result.costs, scale)
    bad = np.flatnonzero(~np.isfinite(cost))
    n = int(bad[0]) if bad.size else len(cost)
    diverged_step = int(result.recorded_steps[n]) if bad.size else result.diverged_step
    end = Outcome(result.recorded_steps[:n], cost[:n], diverged_step)
    if result.validated_steps is None or result.validation_costs is None:
        return end
    with np.errstate(over="ignore", invalid="ignore"):
        validation_cost = trained_on.in_units(result.validation_costs, scale)
    validation_cost = np.where(np.isnan(validation_cost), np.inf, validation_cost)
    if diverged_step is not None:
        alive = result.validated_steps < diverged_step
        return replace(end, validated=result.validated_steps[alive], validation_cost=validation_cost[alive])
    return replace(
        end,
        stopped_step=result.stopped_step,
        best_step=result.best_step,
        validated=result.validated_steps,
        validation_cost=validation_cost,
    )


def train_cost(spec: NetworkSpec, result: Trained, end: Outcome, trained_on: Cost, dataset: Dataset) -> float | None:
    """The cost over the training split of the parameters that the network ends with; None where it diverged.

    That is the end of its curve; of a network that keeps the parameters of its lowest validation cost, to which the end
    of the curve does not belong, the cost of their predictions (without dropout, as predictions are).
    """
    if end.diverged_step is not None:
        return None
    if end.best_step is None:
        return float(end.cost[-1])
    y_hat = predict(spec.architecture, result.params, dataset.inputs(dataset.train))
    with np.errstate(over="ignore"):
        costs = trained_on.of_samples(y_hat, dataset.outputs(dataset.train), spec.loss_hypers).mean(axis=0)
        return float(trained_on.in_units(costs[np.newaxis], dataset.y_scaling.scale)[0])


def _steps_taken(spec: NetworkSpec, end: Outcome) -> int:
    ended = (end.diverged_step, end.stopped_step)
    return next((step for step in ended if step is not None), spec.steps or 0)


def _row(cell: Cell, spec: NetworkSpec, end: Outcome) -> dict[str, Any]:
    return {
        **cell.columns(),
        "replicate": spec.replicate,
        "status": end.status,
        "diverged_step": end.diverged_step,
        "stopped_step": end.stopped_step,
        "best_step": end.best_step,
    }


def _curves(ids: list[str], networks: list[tuple[Cell, NetworkSpec]], outcomes: list[Outcome]) -> pd.DataFrame:
    """Long table of the learning curves; what takes no steps has none."""
    curves = [
        _curve(end).assign(network_id=key)
        for key, (_, spec), end in zip(ids, networks, outcomes, strict=True)
        if spec.steps is not None
    ]
    types = {"network_id": "string", "step": "int64", "cost": "float64"}
    if any(len(end.validated) for end in outcomes):
        types |= {store.VALIDATION_COST: "float64"}
    table = pd.concat(curves, ignore_index=True) if curves else pd.DataFrame(columns=list(types))
    return table.reindex(columns=list(types)).astype(types)


def _curve(end: Outcome) -> pd.DataFrame:
    """The costs of a network by its steps, each NaN where only the other one was taken."""
    if not len(end.validated):
        return pd.DataFrame({"step": end.steps, "cost": end.cost})
    steps = np.union1d(end.steps, end.validated)
    costs = {name: np.full(len(steps), np.nan) for name in ("cost", store.VALIDATION_COST)}
    costs["cost"][np.isin(steps, end.steps)] = end.cost
    costs[store.VALIDATION_COST][np.isin(steps, end.validated)] = end.validation_cost
    return pd.DataFrame({"step": steps, **costs})


if __name__ == "__main__":
    _stage.main("-".join(["sweep", *sys.argv[1:]]), run, *sys.argv[1:])
