"""The result tables of a sweep, made group after group of its networks as they are finished."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence

import numpy as np
import pandas as pd
import pyarrow as pa

from shoal.kernels.ensemble import NetworkSpec, Replicates, Results
from shoal.pipeline import store
from shoal.pipeline.data import Dataset
from shoal.pipeline.study.outcome import Outcome, outcome, train_cost
from shoal.pipeline.study.training import Finished, Wanted, any_validated

PART = 1 << 18
"""Points of learning curves that are made into a table at once."""
CURVE_COLUMNS = {"network_id": "string", "step": "int64", "cost": "float64"}


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


class Ends:
    """What became of groups of networks: their curves, made as they are finished, and what is kept of each until then.

    Of each group, in their order: `columns` as in runs.parquet, `params` (n, n_params), which networks were `trained`
    now (masks), and the `steps_taken` (n,) then.
    """

    def __init__(self, wanted: Wanted, parts: Sequence[Dataset]) -> None:
        """parts[k] is what wanted.data[k] was made of."""
        self.trained_on = [parts[which] for which in wanted.of]
        self.is_validated = any_validated(wanted.networks)
        self._wanted, self._ids = wanted.networks, wanted.ids
        self.columns, self.params = list[dict[str, np.ndarray]](), list[np.ndarray]()
        self.trained, self.steps_taken = list[np.ndarray](), list[np.ndarray]()

    def curves(self, finished: Iterable[Finished]) -> Generator[pd.DataFrame | pa.Table, None, None]:
        """Long tables of the learning curves, a part of each group's after another."""
        types = CURVE_COLUMNS | ({store.VALIDATION_COST: "float64"} if self.is_validated else {})
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
                yield _curve_part(ids[at : at + size], end, slice(at, at + size), self.is_validated)


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
