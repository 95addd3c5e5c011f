"""How to reproduce the report, and what it was made from: hashes, versions, the engine; never a date or a machine."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np

from shoal.kernels.compile.host import HOST
from shoal.pipeline.config import Config
from shoal.pipeline.data import Dataset
from shoal.pipeline.provenance.hashes import kernels_hash, params_hash
from shoal.pipeline.provenance.libraries import libraries
from shoal.pipeline.report.claims.wording import counted, listed
from shoal.pipeline.report.document.blocks import Folded, Section, Table
from shoal.pipeline.report.results import SweepResults
from shoal.pipeline.report.study import Origin
from shoal.pipeline.study.grid import cells
from shoal.pipeline.study.identity import identifier

COMMANDS = (
    "`make repro` in the project's folder installs the pinned versions of `requirements.lock`, checks `params.yaml` "
    "and runs `dvc repro`: data, gradient check, one stage for each sweep, evaluation, test-set predictions, this "
    "report and the MLflow store. `dvc repro` alone runs only what a change of parameters, data or sources concerns."
)
COMMAND = (
    "`dvc repro` in the folder of `params.yaml` runs what a change of parameters, data or shoal itself concerns: data, "
    "gradient check, one stage for each sweep, evaluation, test-set predictions, this report and the MLflow store."
)
DEPENDENCE = (
    "Every random number comes from the seed and the number of the replicate. With the same hashes, instruction set "
    "and versions all results come out again to the last bit, whatever the number of threads. Another instruction set "
    "or another version of numba or llvmlite may add in another order: that changes last digits, and in a long "
    "training also the ones before. Both are therefore part of a network's identity."
)


def reproduction(made_from: Origin, config: Config, dataset: Dataset, sweeps: Sequence[SweepResults]) -> Section:
    """The commands, what the results were computed with, and for each sweep its hashes and its parameters."""
    params = made_from.params
    by_sweep = [
        [name, params_hash(params["seed"], params["dtype"], block), results, json.dumps(block, sort_keys=True)]
        for name, results in made_from.results.items()
        for block in [params["sweeps"][name]]
    ]
    hashes = Table(
        "Hashes of the sweeps", ["sweep", "parameters", "results (runs.parquet)"], [row[:3] for row in by_sweep]
    )
    blocks = [["data", json.dumps(params["data"], sort_keys=True)], *(row[::3] for row in by_sweep)]
    settings = Table("Blocks of params.yaml: the data and the sweeps", ["", ""], blocks)
    identities = _identities(config, dataset, sweeps)
    how = COMMANDS if config.report.parts else COMMAND
    return Section(
        "How to reproduce this", [how, DEPENDENCE, identities, _engine(config, dataset), hashes, Folded(settings)]
    )


def _engine(config: Config, dataset: Dataset) -> Table:
    rows = [
        ["seed", str(config.seed)],
        ["arithmetic", config.dtype],
        ["hash of the training data", dataset.data_hash[:16]],
        ["hash of the kernel sources", kernels_hash()],
        ["instruction set", HOST.name],
        ["versions", ", ".join(f"{name} {version}" for name, version in libraries().items())],
    ]
    return Table("Computed with", ["", ""], rows)


def _identities(config: Config, dataset: Dataset, sweeps: Sequence[SweepResults]) -> str:
    """Whether the networks are those that these parameters, data and engine give: their ids, computed anew."""
    n, strangers = 0, []
    identify = [identifier(config, part) for part in dataset.parts]
    for results in sweeps:
        grid = cells(results.settings, dataset.n_outputs, dataset.n_train)
        networks = [own for cell in grid for own in cell.networks(len(identify))]
        expected = [identify[own.numbers[0] % len(identify)](own) for own in networks]
        n += len(results.networks)
        found = results.networks["network_id"].to_numpy().astype("S")
        if not np.array_equal(np.unique(found), np.unique(np.concatenate(expected))):
            strangers.append(results.name)
    if not strangers:
        return (
            f"The identities of all {counted(n, 'network')}, hashes of everything that determines them, were computed "
            "anew for this report from the parameters, the data and the engine below: they agree."
        )
    return (
        f"The networks of {listed(strangers)} have other identities than the parameters, the data and the engine below "
        "give: they were trained with another instruction set or other versions, and this report shows what they gave."
    )
