"""What the tracking store says of a sweep, as plain values: its state, and a record of each cell."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline import store
from pipeline.paths import Paths

FORMAT = "1"
"""Part of every key: another number, and runs of what is recorded here now appear beside those of before."""

PARAMS = [name for name in store.CELL_COLUMNS if name not in ("sweep", "cell")]
RANKED = ("test_mse", "log10_test_mse", "validation_mse", "train_half_mse")
RANKS = {"median": "", "q1": "_q1", "q3": "_q3"}
CURVE_POINTS = 50
LISTED_CELLS = 10

DEFINITIONS = (
    "Medians over the networks of a cell; `_q1` and `_q3` are quartiles, and a diverged network counts as infinite. "
    "`test_mse` and `validation_mse` are means of (y_hat - y)^2 over samples and outputs, in the targets' own units; "
    "`half_mse` is the cost that is trained, the mean over samples of half the squared error. "
    "Views, 'Cells by test error' shows the cells of the present results. Figures: Artifacts of the run of the sweep."
)

Curve = list[tuple[int, float]]


@dataclass(frozen=True)
class Record:
    """One cell: `metrics` may be infinite; `curve` holds (step, median half_mse) pairs, finite ones alone."""

    cell: str
    params: dict[str, str]
    metrics: dict[str, float]
    curve: Curve
    note: str


@dataclass(frozen=True)
class SweepState:
    """The results of a sweep as they are now. `cells` are its rows of cells.parquet, nulls as None."""

    sweep: str
    digest: str
    data_hash: str
    cells: list[dict[str, Any]]
    table: str
    figures: list[Path]

    @property
    def key(self) -> str:
        """Key of the run that stands for the sweep."""
        return f"{self.sweep}/{self.digest}"

    def cell_key(self, cell: str) -> str:
        """Key of the run that stands for a cell."""
        return f"{self.key}/{cell}"

    @property
    def keys(self) -> list[str]:
        """Keys of all runs, the sweep's own first, then the cells' in their order."""
        return [self.key, *(self.cell_key(cell["cell"]) for cell in self.cells)]

    @property
    def files_digest(self) -> str:
        """Digest of the figures and the table: they can change while the results stay."""
        parts = (part for path in self.figures for part in (path.name.encode(), path.read_bytes()))
        return _digest([self.table.encode(), *parts])

    @property
    def note(self) -> str:
        """Markdown: counts, and the cells in order of their validation error."""
        networks, diverged = (sum(cell[name] for cell in self.cells) for name in ("n_networks", "n_diverged"))
        ranked = sorted(self.cells, key=lambda cell: float(cell["validation_mse_median"]))
        rows = [
            f"| {cell['cell']} | {cell['validation_mse_median']:.3e} | {cell['test_mse_median']:.3e} "
            f"| {cell['n_diverged']} of {cell['n_networks']} |"
            for cell in ranked[:LISTED_CELLS]
        ]
        shown = f"the best {LISTED_CELLS} cells" if len(ranked) > LISTED_CELLS else "all cells"
        head = f"{len(self.cells)} cells, {networks} networks, {diverged} diverged; figures and table in Artifacts."
        head += f" Medians of {shown}, by validation error:"
        return "\n".join([head, "", "| cell | validation mse | test mse | diverged |", "|---|---|---|---|", *rows])


def read_state(paths: Paths, sweep: str) -> SweepState:
    """Read what identifies the results of a sweep; raises FileNotFoundError where a stage has not run yet."""
    files = [path.read_bytes() for path in (paths.runs(sweep), paths.curves(sweep))]
    rows = store.read_table(paths.cells)
    rows = rows[rows["sweep"] == sweep]
    table = rows.to_csv(index=False, lineterminator="\n")
    data_hash = store.read_json(paths.data / "data.json")["data_hash"]
    cells: list[dict[str, Any]] = [dict(row) for _, row in rows.astype(object).where(rows.notna(), None).iterrows()]
    figures = sorted(path for path in (paths.figures / sweep).glob("[!.]*") if path.is_file())
    digest = _digest([FORMAT.encode(), data_hash.encode(), table.encode(), *files])
    return SweepState(sweep, digest, data_hash, cells, table, figures)


def read_records(paths: Paths, state: SweepState) -> list[Record]:
    """A record of each cell of the state, in order."""
    runs = store.read_table(paths.runs(state.sweep), ["network_id", "cell"])
    members = runs.groupby("cell")["network_id"].agg(list)
    curves = store.read_table(paths.curves(state.sweep)).set_index("network_id")
    return [_record(cell, median_curve(curves, members[cell["cell"]])) for cell in state.cells]


def median_curve(curves: pd.DataFrame, networks: list[str]) -> Curve:
    """Median half_mse of the named networks at about CURVE_POINTS log-spaced steps, up to where it is infinite.

    `curves` has the columns step and half_mse and the network_id as index; a network without a finite value at a
    step has diverged and counts as infinite there.
    """
    rows = curves[curves.index.isin(networks)]
    rows = rows[rows["step"].isin(_thinned(np.unique(rows["step"].to_numpy(np.int64))))]
    table = rows.set_index("step", append=True)["half_mse"].astype("float64").unstack("step").reindex(networks)
    values = np.nan_to_num(table.to_numpy(), nan=np.inf)
    pairs = zip(table.columns, np.median(values, axis=0), strict=True)
    return [(int(step), float(value)) for step, value in pairs if np.isfinite(value)]


def _thinned(steps: np.ndarray) -> np.ndarray:
    """At most CURVE_POINTS of the sorted steps (n,), first and last among them, evenly spaced on a log scale."""
    if len(steps) <= CURVE_POINTS:
        return steps
    wanted = np.geomspace(1, steps[-1] - steps[0] + 1, CURVE_POINTS) + steps[0] - 1
    return np.unique(steps[np.searchsorted(steps, np.rint(wanted))])


def _record(cell: dict[str, Any], curve: Curve) -> Record:
    params = {name: cell[name] for name in PARAMS} | {"n_networks": cell["n_networks"]}
    if params["batch_size"] is None and params["optimizer"] != "ridge":
        params["batch_size"] = "full"
    metrics = {name + suffix: cell[f"{name}_{rank}"] for name in RANKED for rank, suffix in RANKS.items()}
    metrics["diverged_fraction"] = cell["n_diverged"] / cell["n_networks"]
    return Record(
        cell["cell"],
        {name: str(value) for name, value in params.items() if value is not None},
        {name: float(value) for name, value in metrics.items()},
        curve,
        _cell_note(cell),
    )


def _cell_note(cell: dict[str, Any]) -> str:
    median, q1, q3 = (f"{cell[f'test_mse_{rank}']:.3e}" for rank in RANKS)
    return (
        f"`{cell['architecture']}`, {cell['n_networks']} networks, {cell['n_diverged']} diverged. "
        f"Median test mse {median}, quartiles {q1} and {q3}."
    )


def _digest(parts: Iterable[bytes]) -> str:
    """16 hex digits of SHA-256 over the parts, each preceded by its length."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "little") + part)
    return digest.hexdigest()[:16]
