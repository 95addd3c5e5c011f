"""Stage `sweep@NAME`: train every network of one sweep."""

from __future__ import annotations

import sys
import time
from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from shoal.kernels.ensemble import NetworkSpec, Replicates, Results, Samples, predict
from shoal.pipeline import progress, store
from shoal.pipeline.data import Dataset
from shoal.pipeline.paths import Paths
from shoal.pipeline.provenance import machine, made_from, receipts
from shoal.pipeline.stages import _stage
from shoal.pipeline.store.entries import Store, folder_of
from shoal.pipeline.study import ahead
from shoal.pipeline.study.check import load
from shoal.pipeline.study.flops import sweep_flops
from shoal.pipeline.study.grid import cells
from shoal.pipeline.study.identity import identifier
from shoal.pipeline.study.so_far import SoFar
from shoal.pipeline.study.training import Finished, trained
from shoal.pipeline.tasks import Cost

PART = 1 << 18
"""Points of learning curves that are made into a table at once."""
CURVE_COLUMNS = {"network_id": "string", "step": "int64", "cost": "float64"}


@receipts.kept(made_from.sweep)
def run(paths: Paths, name: str) -> dict[str, Any]:
    """Write results/<name>/{runs,curves,weights}.parquet; returns counts, time and machine for the log.

    Raises ConfigError where params.yaml is bad, or asks for what the data cannot give.
    """
    settings, dataset = load(paths)
    grid, parts = cells(settings.sweep(name), dataset.n_outputs, dataset.n_train), dataset.parts
    store.refuse_unwritable(paths.runs(name), paths.curves(name), paths.weights(name))
    networks = [(cell, own) for cell in grid for own in cell.networks(len(parts))]
    wanted = [own for _, own in networks]
    of = [int(own.numbers[0]) % len(parts) for own in wanted]
    is_validated = any(spec.is_validated for spec, _ in wanted)
    data, identifiers = [samples(part, is_validated) for part in parts], [identifier(settings, part) for part in parts]
    ids = [identifiers[which](own) for which, own in zip(of, wanted, strict=True)]
    kept, so_far = Store(folder_of(paths)), SoFar(dataset) if progress.is_watched() else None
    ends, began = _Ends(wanted, ids, [parts[which] for which in of], is_validated), 0.0

    def begin(missing: Sequence[Replicates]) -> None:
        nonlocal began
        if _stage.SPEAKS.get():
            found = ahead.of_sweep(settings, dataset, name, missing, kept, progress.note)
            print(f"sweep-{name}: {found}", flush=True)
        began = time.perf_counter()

    with progress.bar(f"sweep {name}", "networks") as advance:
        told = settings.execution, advance, progress.note, begin, so_far
        results = trained(wanted, ids, identifiers, data, of, kept, *told, seed=settings.seed, dtype=settings.dtype)
        with closing(results), closing(ends.curves(results)) as curves:
            store.write_parts(paths.curves(name), curves)
    seconds, n_trained = time.perf_counter() - began, sum(int(mask.sum()) for mask in ends.trained)
    common = {"sweep": name, "n_outputs": dataset.n_outputs, "dtype": settings.dtype}
    rows = [
        common | {"n_features": part.n_inputs} | ({store.FOLD: which} if dataset.folds else {}) | cell.columns()
        for (cell, _), part, which in zip(networks, ends.trained_on, of, strict=True)
    ]
    runs = store.runs_table(rows, ends.columns)
    if dataset.folds:
        runs = runs.iloc[np.lexsort((runs["replicate"], pd.factorize(runs["cell"])[0]))].reset_index(drop=True)
    status = runs["status"].value_counts()
    store.write_table(paths.runs(name), runs)
    store.write_weights(paths.weights(name), ids, ends.params)
    flops = 0.0
    for k, part in enumerate(parts):
        sizes = (part.n_inputs, len(part.train.x), len(part.validation.x))
        ran = zip(of, wanted, ends.trained, ends.steps_taken, strict=True)
        on_it = ((Replicates(spec, n[new]), taken[new]) for which, (spec, n), new, taken in ran if which == k)
        flops += sweep_flops(on_it, *sizes)
    return {
        "networks": len(runs),
        "known": len(runs) - n_trained,
        "trained": n_trained,
        "diverged": int(status.get("diverged", 0)),
        **({"stopped": int(status.get("stopped", 0))} if is_validated else {}),
        "training_seconds": round(seconds, 4) if n_trained else 0.0,
        "gflop": round(flops / 1e9, 6),
        "gflop_per_second": round(flops / 1e9 / seconds, 4) if n_trained else None,
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
    """What became of n networks that differ in their replicate alone, in the targets' own units.

    The first `n_recorded` (n,) of `cost` (n, n_steps) at `steps` (n_steps,) are the learning curve of each, all finite,
    the first `n_validated` (n,) of `validation_cost` (n, m) at `validated` (m,) that of the validation split, infinite
    beyond float64; m is 0 where the networks take none. One stopped early at its `stopped_step` (n,), and keeps the
    parameters of its `best_step` (n,); each is -1 where it does not, as is the `diverged_step` (n,).
    """

    steps: np.ndarray
    cost: np.ndarray
    n_recorded: np.ndarray
    diverged_step: np.ndarray
    stopped_step: np.ndarray
    best_step: np.ndarray
    validated: np.ndarray
    validation_cost: np.ndarray
    n_validated: np.ndarray

    @property
    def status(self) -> np.ndarray:
        """Of each, one of diverged, stopped (early, by its validation cost) and ok; a stopped network is as good as
        any."""
        codes = np.where(self.diverged_step >= 0, 0, np.where(self.stopped_step >= 0, 1, 2))
        return np.array(["diverged", "stopped", "ok"])[codes]


def outcome(results: Results, trained_on: Cost, scale: np.ndarray) -> Outcome:
    """Undo the standardisation of targets with `scale` (n_outputs,), as the cost that was trained on does.

    A cost that float64 holds only in standardised units is not finite in the user's own: there the network diverged.
    """
    cost = _in_units(results.costs, trained_on, scale)
    is_bad = ~np.isfinite(cost) & (np.arange(cost.shape[1]) < results.n_recorded[:, np.newaxis])
    first, has_bad = is_bad.argmax(axis=1), is_bad.any(axis=1)
    diverged = np.where(has_bad, results.recorded_steps[first], results.diverged_step)
    validated, n_validated = np.zeros(0, np.int64), np.zeros(len(results), np.int64)
    validation_cost = np.zeros((len(results), 0))
    if results.validated_steps is not None and results.validation_costs is not None:
        validated, n_validated = results.validated_steps, np.asarray(results.n_validated)
        validation_cost = _in_units(results.validation_costs, trained_on, scale)
        validation_cost = np.where(np.isnan(validation_cost), np.inf, validation_cost)
        alive = np.searchsorted(validated, diverged)
        n_validated = np.where(diverged < 0, n_validated, np.minimum(n_validated, alive))
    return Outcome(
        steps=results.recorded_steps,
        cost=cost,
        n_recorded=np.where(has_bad, first, results.n_recorded),
        diverged_step=diverged,
        stopped_step=np.where(diverged < 0, results.stopped_step, -1),
        best_step=np.where(diverged < 0, results.best_step, -1),
        validated=validated,
        validation_cost=validation_cost,
        n_validated=n_validated,
    )


def _in_units(costs: np.ndarray, trained_on: Cost, scale: np.ndarray) -> np.ndarray:
    """Costs (n, m, n_outputs) of standardised targets as the cost in the targets' own units, (n, m)."""
    n, m, n_outputs = costs.shape
    with np.errstate(over="ignore", invalid="ignore"):
        return trained_on.in_units(costs.reshape(n * m, n_outputs), scale).reshape(n, m)


def train_cost(spec: NetworkSpec, results: Results, end: Outcome, dataset: Dataset) -> np.ndarray:
    """The cost over the training split of the parameters that each network ends with, (n,); NaN where it diverged.

    That is the end of its curve; of a network that keeps the parameters of its lowest validation cost, to which the end
    of the curve does not belong, the cost of their predictions (without dropout, as predictions are).
    """
    trained_on, (x, y) = (
        dataset.task.trained_on(spec.loss),
        (dataset.inputs(dataset.train), dataset.outputs(dataset.train)),
    )
    at_end = end.cost[np.arange(len(end.cost)), np.maximum(end.n_recorded - 1, 0)]
    costs: np.ndarray = np.where(end.diverged_step < 0, at_end, np.nan)
    for i in np.flatnonzero(end.best_step >= 0):
        y_hat = predict(spec.architecture, results.params[i], x)
        with np.errstate(over="ignore"):
            own = trained_on.of_samples(y_hat, y, spec.loss_hypers).mean(axis=0)
            costs[i] = trained_on.in_units(own[np.newaxis], dataset.y_scaling.scale)[0]
    return costs


def _steps_taken(spec: NetworkSpec, end: Outcome) -> np.ndarray:
    ended = np.where(end.diverged_step < 0, end.stopped_step, end.diverged_step)
    return np.where(ended < 0, spec.steps or 0, ended)


def _columns(
    ids: np.ndarray, networks: Replicates, results: Results, end: Outcome, dataset: Dataset
) -> dict[str, np.ndarray]:
    """What each network has of its own in runs.parquet, (n,) by columns; steps are -1 and costs NaN where there are
    none."""
    return {
        "network_id": ids,
        "replicate": networks.numbers,
        "status": end.status,
        "diverged_step": end.diverged_step,
        "stopped_step": end.stopped_step,
        "best_step": end.best_step,
        "train_cost": train_cost(networks.spec, results, end, dataset),
    }


class _Ends:
    """What became of groups of networks: their curves, made as they are finished, and what is kept of each until then.

    Of each group, in their order: `columns` as in runs.parquet, `params` (n, n_params), which networks were `trained`
    now (masks), and the `steps_taken` (n,) then.
    """

    def __init__(
        self, wanted: Sequence[Replicates], ids: Sequence[np.ndarray], trained_on: Sequence[Dataset], is_validated: bool
    ) -> None:
        self.trained_on = trained_on
        self._wanted, self._ids, self._is_validated = wanted, ids, is_validated
        self.columns, self.params = list[dict[str, np.ndarray]](), list[np.ndarray]()
        self.trained, self.steps_taken = list[np.ndarray](), list[np.ndarray]()

    def curves(self, finished: Iterable[Finished]) -> Generator[pd.DataFrame | pa.Table, None, None]:
        """Long tables of the learning curves, a part of each group's after another."""
        types = CURVE_COLUMNS | ({store.VALIDATION_COST: "float64"} if self._is_validated else {})
        yield pd.DataFrame(columns=list(types)).astype(types)  # what takes no steps has none
        for place, results, is_trained, first in finished:
            networks, ids, dataset = self._wanted[place], self._ids[place], self.trained_on[place]
            end = outcome(results, dataset.task.trained_on(networks.spec.loss), dataset.y_scaling.scale)
            self.columns.append(_columns(ids, networks, results, end, dataset))
            self.params.append(results.params)
            self.trained.append(is_trained)
            self.steps_taken.append(np.maximum(_steps_taken(networks.spec, end) - first, 0))
            if networks.spec.steps is None:
                continue
            size = max(1, PART // (len(end.steps) + len(end.validated)))
            for at in range(0, len(ids), size):
                yield _curve_part(ids[at : at + size], end, slice(at, at + size), self._is_validated)


def _curve_part(ids: np.ndarray, end: Outcome, part: slice, is_validated: bool) -> pa.Table:
    """The curves of some networks by their steps, each cost NaN where only the other one was taken."""
    if not is_validated and (end.n_recorded[part] == len(end.steps)).all():  # nearly always, and much quicker
        own = np.repeat(ids, len(end.steps))
        return _curve_table(own, np.tile(end.steps, len(ids)), end.cost[part].ravel())
    steps = np.union1d(end.steps, end.validated)
    costs, has = np.full((2, len(ids), len(steps)), np.nan), np.zeros((len(ids), len(steps)), bool)
    known = ((end.steps, end.cost, end.n_recorded), (end.validated, end.validation_cost, end.n_validated))
    for own, (at, values, n_own) in zip(costs, known, strict=True):
        is_own = np.arange(len(at)) < n_own[part, np.newaxis]
        places = np.searchsorted(steps, at)
        own[:, places] = np.where(is_own, values[part], np.nan)
        has[:, places] |= is_own
    network, which = np.nonzero(has)
    return _curve_table(ids[network], steps[which], *(own[has] for own in costs[: 1 + is_validated]))


def _curve_table(ids: np.ndarray, steps: np.ndarray, *costs: np.ndarray) -> pa.Table:
    names = [*CURVE_COLUMNS, store.VALIDATION_COST][: 2 + len(costs)]
    columns = [pa.array(steps), *(pa.array(own, from_pandas=True) for own in costs)]
    return pa.Table.from_arrays([store.text_column(ids), *columns], names)


if __name__ == "__main__":
    _stage.main("-".join(["sweep", *sys.argv[1:]]), run, *sys.argv[1:])
