"""The results of a sweep as the files have them now, under the keys that its runs carry in the tracking store."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from shoal.pipeline import classes, cv_plus, predictor, preparation, scaling, store
from shoal.pipeline.paths import Paths
from shoal.pipeline.statistics.errors import costs_of, deciding, task_of, with_errors
from shoal.pipeline.tasks import Cost, Error, Task
from shoal.pipeline.tracking.tags import Provenance, Provenances

FORMAT = "2"
"""Part of every key: another number, and runs of what is recorded here now appear beside those of before."""

SERVED = Path(__file__).with_name("served.py")
TRAVELS = [Path(str(module.__file__)) for module in (classes, cv_plus, predictor, preparation, scaling)]
"""Code of the chosen network's model, and what of the pipeline it needs: where it changes, the model is another one."""

LISTED_CELLS = 10
MOST_RUNS = 1000
"""Cells of a sweep that have a run each, those with the smallest validation error: MLflow takes 50 ms for one."""
Granularity = Literal["cell", "network"]


@dataclass(frozen=True)
class SweepState:
    """The results of a sweep as they are now.

    `cells` are its rows of cells.parquet, nulls as None; `networks` has the rows of each cell's networks where these
    have runs of their own. `task` is what they were trained for, `costs` which of its costs they were trained on,
    `error` the one that decides, `diverged_step` the first at which a network diverged. `choice` is
    predictions/chosen.json where what answers, or the best of several networks, is of this sweep. `experiment`
    is the name of the experiment that its runs are in.
    """

    sweep: str
    digest: str
    provenance: Provenance
    cells: list[dict[str, Any]]
    table: str
    figures: list[Path]
    choice: dict[str, Any] | None
    task: Task
    costs: list[Cost]
    error: Error
    diverged_step: int | None
    experiment: str
    networks: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    @property
    def keeps_best(self) -> bool:
        """Whether networks keep the parameters of their lowest validation cost."""
        return any(cell.get("keep") == "best" for cell in self.cells)

    @property
    def key(self) -> str:
        """Key of the run that stands for the sweep."""
        return f"{self.sweep}/{self.digest}"

    def cell_key(self, cell: str) -> str:
        """Key of the run that stands for a cell."""
        return f"{self.key}/{cell}"

    def network_keys(self, cell: str) -> list[str]:
        """Keys of the runs that stand for the networks of a cell."""
        return [f"{self.cell_key(cell)}/{network_name(network)}" for network in self.networks.get(cell, [])]

    @property
    def shown(self) -> list[str]:
        """The cells that have a run, in their order: as many as MOST_RUNS."""
        kept = {str(cell["cell"]) for cell in self._ranked[:MOST_RUNS]}
        return [name for cell in self.cells if (name := str(cell["cell"])) in kept]

    @property
    def _ranked(self) -> list[dict[str, Any]]:
        """The cells in order of their validation error."""
        return sorted(self.cells, key=lambda cell: float(cell[f"{self.error.of('validation')}_median"]))

    @property
    def keys(self) -> list[str]:
        """Keys of all runs, the sweep's own first, then each cell's and its networks', in their order."""
        names = self.shown
        return [self.key, *(key for cell in names for key in (self.cell_key(cell), *self.network_keys(cell)))]

    @property
    def keys_to_write(self) -> list[str]:
        """Keys below the sweep's own so that a run comes after the one above it, otherwise last first.

        MLflow lists the newest first.
        """
        names = self.shown[::-1]
        return [key for cell in names for key in (self.cell_key(cell), *reversed(self.network_keys(cell)))]

    @property
    def files_digest(self) -> str:
        """Digest of what hangs at the sweep's own run, which can change while the results stay."""
        parts = (part for path in self.figures for part in (path.name.encode(), path.read_bytes()))
        answers = [(self.choice or {}).get(name) for name in ("network_id", "ensemble", "interval")]
        model = [json.dumps(answers).encode(), served_code()] if self.choice else []
        return _digest([self.table.encode(), *model, *parts])

    @property
    def note(self) -> str:
        """Markdown: counts, and the cells in order of their validation error."""
        networks, diverged = (sum(cell[name] for cell in self.cells) for name in ("n_networks", "n_diverged"))
        validation, test = (f"{self.error.of(split)}_median" for split in ("validation", "test"))
        rows = [
            f"| {cell['cell']} | {cell[validation]:.3e} | {'unknown' if cell[test] is None else f'{cell[test]:.3e}'} "
            f"| {cell['n_diverged']} of {cell['n_networks']} |"
            for cell in self._ranked[:LISTED_CELLS]
        ]
        shown = f"the best {LISTED_CELLS} cells" if len(self.cells) > LISTED_CELLS else "all cells"
        head = f"{len(self.cells)} cells, {networks} networks, {diverged} diverged; figures and table in Artifacts."
        if len(self.cells) > MOST_RUNS:
            head += f" Runs below this one: the {MOST_RUNS:,} cells with the smallest validation error; all: cells.csv."
        if diverged == networks:
            head += f" All networks diverged, the first at step {self.diverged_step}."
        head += f" Medians of {shown}, by validation error:"
        names = f"| cell | {self.error.label('validation')} | {self.error.label('test')} | diverged |"
        return "\n".join([head, "", names, "|---|---|---|---|", *rows])


def served_code() -> bytes:
    """The code of the chosen network's model but for the kernels, whose versions give the same predictions."""
    return b"".join(path.read_bytes() for path in (SERVED, *TRAVELS))


def network_name(network: dict[str, Any]) -> str:
    """The last part of a network's key: its replicate."""
    return f"r{network['replicate']:03d}"


def key_above(key: str) -> str:
    """Key of the run that the run with this key is nested under."""
    return key.rpartition("/")[0]


def experiment_of(sweep: str, study: str | None) -> str:
    """The name of a sweep's experiment, in which that of the study comes first where it has one."""
    return f"{study}-{sweep}" if study else sweep


def read_states(
    paths: Paths, sweeps: list[str], granularity: Granularity, study: str | None = None
) -> list[SweepState]:
    """Read what identifies the results of the sweeps; raises FileNotFoundError where a stage has not run yet."""
    cells, provenances, choice = store.read_table(paths.cells), Provenances(paths), store.read_json(paths.chosen)
    return [
        _read_state(paths, sweep, cells[cells["sweep"] == sweep], provenances.of(sweep), choice, granularity, study)
        for sweep in sweeps
    ]


def _read_state(
    paths: Paths,
    sweep: str,
    cells: pd.DataFrame,
    provenance: Provenance,
    choice: dict[str, Any] | None,
    granularity: Granularity,
    study: str | None,
) -> SweepState:
    files = [paths.runs(sweep), paths.curves(sweep)]
    for path in files:
        store.refuse_broken(path)
    table = cells.to_csv(index=False, lineterminator="\n")
    return SweepState(
        sweep,
        _digest([FORMAT.encode(), provenance.data.digest.encode(), table.encode(), *files]),
        provenance,
        _rows(cells),
        table,
        sorted(path for path in (paths.figures / sweep).glob("[!.]*") if path.is_file()),
        choice if choice and store.answering(choice)[0]["sweep"] == sweep else None,
        task_of(cells),
        costs_of(cells),
        deciding(cells),
        _first_divergence(paths, sweep),
        experiment_of(sweep, study),
        _networks(paths, sweep) if granularity == "network" else {},
    )


def _first_divergence(paths: Paths, sweep: str) -> int | None:
    steps = store.read_table(paths.runs(sweep), ["diverged_step"])["diverged_step"].dropna()
    return int(steps.min()) if len(steps) else None


def _networks(paths: Paths, sweep: str) -> dict[str, list[dict[str, Any]]]:
    evaluated = store.read_table(paths.networks)
    table = with_errors(store.read_table(paths.runs(sweep)), evaluated[evaluated["sweep"] == sweep])
    return {str(cell): _rows(rows) for cell, rows in table.groupby("cell", sort=False)}


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [dict(row) for _, row in table.astype(object).where(table.notna(), None).iterrows()]


def _digest(parts: Iterable[bytes | Path]) -> str:
    """16 hex digits of SHA-256 over the parts, texts and contents of files, each preceded by its length."""
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, bytes):
            digest.update(len(part).to_bytes(8, "little") + part)
            continue
        digest.update(part.stat().st_size.to_bytes(8, "little"))
        with part.open("rb") as file:
            hashlib.file_digest(file, lambda: digest)
    return digest.hexdigest()[:16]
