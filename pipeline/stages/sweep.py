"""Stage `sweep@NAME`: train every network of one sweep."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from shoal.kernels.ensemble import Replicates, Samples
from shoal.pipeline import progress, store
from shoal.pipeline.data import Dataset
from shoal.pipeline.paths import Paths
from shoal.pipeline.provenance import machine, made_from, receipts
from shoal.pipeline.stages import _stage
from shoal.pipeline.store.entries import Store, folder_of
from shoal.pipeline.study import ahead
from shoal.pipeline.study.check import load
from shoal.pipeline.study.ends import Ends
from shoal.pipeline.study.flops import sweep_flops
from shoal.pipeline.study.grid import cells
from shoal.pipeline.study.identity import identifier
from shoal.pipeline.study.longer import Identify
from shoal.pipeline.study.so_far import SoFar
from shoal.pipeline.study.training import Told, Wanted, any_validated, trained


@receipts.kept(made_from.sweep)
def run(paths: Paths, name: str) -> dict[str, Any]:
    """Write results/<name>/{runs,curves,weights}.parquet; returns counts, time and machine for the log.

    Raises ConfigError where params.yaml is bad, or asks for what the data cannot give.
    """
    settings, dataset = load(paths)
    grid, parts = cells(settings.sweep(name), dataset.n_outputs, dataset.n_train), dataset.parts
    store.refuse_unwritable(paths.runs(name), paths.curves(name), paths.weights(name))
    networks = [(cell, own) for cell in grid for own in cell.networks(len(parts))]
    wanted = _wanted([own for _, own in networks], parts, [identifier(settings, part) for part in parts])
    kept, so_far = Store(folder_of(paths)), SoFar(dataset) if progress.is_watched() else None
    ends, began = Ends(wanted, parts), 0.0

    def begin(missing: Sequence[Replicates]) -> None:
        nonlocal began
        if _stage.SPEAKS.get():
            found = ahead.of_sweep(settings, dataset, name, missing, kept, progress.note)
            print(f"sweep-{name}: {found}", flush=True)
        began = time.perf_counter()

    with progress.bar(f"sweep {name}", "networks") as advance:
        told = Told(advance, progress.note, begin, so_far)
        results = trained(wanted, kept, settings.execution, told, seed=settings.seed, dtype=settings.dtype)
        with closing(results), closing(ends.curves(results)) as curves:
            store.write_parts(paths.curves(name), curves)
    seconds, n_trained = time.perf_counter() - began, sum(int(mask.sum()) for mask in ends.trained)
    common = {"sweep": name, "n_outputs": dataset.n_outputs, "dtype": settings.dtype}
    rows = [
        common | {"n_features": part.n_inputs} | ({store.FOLD: which} if dataset.folds else {}) | cell.columns()
        for (cell, _), part, which in zip(networks, ends.trained_on, wanted.of, strict=True)
    ]
    runs = store.runs_table(rows, ends.columns)
    if dataset.folds:
        runs = runs.iloc[np.lexsort((runs["replicate"], pd.factorize(runs["cell"])[0]))].reset_index(drop=True)
    status = runs["status"].value_counts()
    store.write_table(paths.runs(name), runs)
    store.write_weights(paths.weights(name), wanted.ids, ends.params)
    gflop = _flops(wanted, ends, parts) / 1e9
    return {
        "networks": len(runs),
        "known": len(runs) - n_trained,
        "trained": n_trained,
        "diverged": int(status.get("diverged", 0)),
        **({"stopped": int(status.get("stopped", 0))} if ends.is_validated else {}),
        "training_seconds": round(seconds, 4) if n_trained else 0.0,
        "gflop": round(gflop, 6),
        "gflop_per_second": round(gflop / seconds, 4) if n_trained else None,
        "results": store.file_hash(paths.runs(name)),
        **machine.facts(),
    }


def _wanted(networks: Sequence[Replicates], parts: Sequence[Dataset], names: Sequence[Identify]) -> Wanted:
    """The networks with their ids and what they are trained on: of folds, each replicate's own."""
    of = [int(own.numbers[0]) % len(parts) for own in networks]
    ids = [names[which](own) for which, own in zip(of, networks, strict=True)]
    return Wanted(networks, ids, of, [samples(part, any_validated(networks)) for part in parts], names)


def _flops(wanted: Wanted, ends: Ends, parts: Sequence[Dataset]) -> float:
    """Operations of what was trained now."""
    flops = 0.0
    for k, part in enumerate(parts):
        sizes = (part.n_inputs, len(part.train.x), len(part.validation.x))
        ran = zip(wanted.of, wanted.networks, ends.trained, ends.steps_taken, strict=True)
        on_it = ((Replicates(spec, n[new]), taken[new]) for which, (spec, n), new, taken in ran if which == k)
        flops += sweep_flops(on_it, *sizes)
    return flops


def samples(dataset: Dataset, is_validated: bool) -> Samples:
    """The standardised training split as the engine takes it, with the validation split where networks need that."""
    train, validation = (
        Samples(dataset.inputs(part), dataset.outputs(part)) for part in (dataset.train, dataset.validation)
    )
    return replace(train, validation=validation) if is_validated else train


if __name__ == "__main__":
    _stage.main("-".join(["sweep", *sys.argv[1:]]), run, *sys.argv[1:])
