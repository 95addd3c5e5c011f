"""The runs in the MLflow store: what is missing, and how it is written. Nothing else imports mlflow.

Every run carries a key made of what it shows, so that tracking again adds what is missing and nothing else. A run
left RUNNING was interrupted. Runs without such a key are somebody else's and never touched.
"""

from __future__ import annotations

import logging
import math
import os
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

# Read by MLflow when it is imported, and inherited by the servers started from here.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run

from pipeline.paths import Paths
from pipeline.tracking import location, view
from pipeline.tracking.records import DEFINITIONS, Record, SweepState, read_records, read_state

for chatter in ("alembic", "mlflow.store.db.utils"):
    logging.getLogger(chatter).setLevel(logging.WARNING)

KEY = "shoal.key"
FILES = "shoal.files"
NOT_FINITE = "shoal.not_finite"
PARENT = "mlflow.parentRunId"
NOTE = "mlflow.note.content"
CURVE = "half_mse"
PAGE = 1000

Progress = Callable[[int, int], object]


def track(paths: Paths, sweeps: list[str], progress: Progress | None = None) -> dict[str, Any]:
    """Bring the store up to date; returns the key of every run that it now holds for the named sweeps.

    Calls `progress` with runs done and runs in all. Raises FileNotFoundError where results are missing.
    """
    states = [read_state(paths, sweep) for sweep in sweeps]
    total, done = sum(len(state.keys) for state in states), 0
    client = _client(paths)
    for state in states:
        for _ in _write_sweep(client, paths, state):
            done += 1
            if progress:
                progress(done, total)
    return {"sweeps": {state.sweep: {"state": state.digest, "runs": state.keys} for state in states}}


def is_tracked(paths: Paths, sweeps: list[str]) -> bool:
    """Whether the store holds the current state of every named sweep; changes nothing.

    Raises FileNotFoundError where results are missing.
    """
    states = [read_state(paths, sweep) for sweep in sweeps]
    if location.is_absent(paths):
        return False
    client = _client(paths)
    return all(_holds(client, state) for state in states)


def experiment_ids(paths: Paths, sweeps: list[str]) -> dict[str, str]:
    """Ids of the experiments of tracked sweeps; raises KeyError for a sweep that is not tracked."""
    found = {experiment.name: experiment.experiment_id for experiment in _client(paths).search_experiments()}
    return {sweep: str(found[sweep]) for sweep in sweeps}


def _client(paths: Paths) -> MlflowClient:
    if location.is_absent(paths):
        with closing(sqlite3.connect(paths.mlflow_database)) as database:
            database.execute("PRAGMA journal_mode=WAL")  # a property of the file: reading goes on during a write
    return MlflowClient(tracking_uri=location.tracking_uri(paths))


def _holds(client: MlflowClient, state: SweepState) -> bool:
    experiment = client.get_experiment_by_name(state.sweep)
    if experiment is None or experiment.lifecycle_stage == "deleted":
        return False
    runs = {key: same[0] for key, same in _runs_by_key(client, experiment.experiment_id).items()}
    parent = runs.get(state.key)
    if parent is None or not _is_finished(parent) or parent.data.tags.get(FILES) != state.files_digest:
        return False
    return all(_is_child(runs.get(key), parent) for key in state.keys[1:])


def _write_sweep(client: MlflowClient, paths: Paths, state: SweepState) -> Iterator[None]:
    """Add what the store lacks of a state; yields once for every run that is there. The parent is finished last."""
    experiment_id = _experiment(client, paths, state)
    runs = _tidied(client, state, _runs_by_key(client, experiment_id))
    parent = runs.get(state.key) or _create_parent(client, experiment_id, state)
    if parent.data.tags.get(FILES) != state.files_digest:
        _log_files(client, parent, state)
    missing = [key for key in state.keys[1:] if not _is_child(runs.get(key), parent)]
    records = {state.cell_key(record.cell): record for record in read_records(paths, state)} if missing else {}
    for key in reversed(state.keys[1:]):  # MLflow lists the newest first
        if key in missing:
            if key in runs:
                client.delete_run(runs[key].info.run_id)
            _write_cell(client, state, parent, records[key])
        yield
    if not _is_finished(parent):
        client.set_terminated(parent.info.run_id)
    yield


def _experiment(client: MlflowClient, paths: Paths, state: SweepState) -> str:
    """Id of the experiment of a sweep, made or restored where needed, its saved view that of the present state."""
    found = client.get_experiment_by_name(state.sweep)
    if found is None:
        remote = location.is_remote(location.tracking_uri(paths))
        artifacts = None if remote else f"{location.artifact_root(paths)}/{state.sweep}"
        tags = {NOTE: DEFINITIONS, "mlflow.experimentKind": "custom_model_development"}
        found = client.get_experiment(client.create_experiment(state.sweep, artifacts, tags))
    elif found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
    saved = view.saved_view(state, found.creation_time or 0)
    if found.tags.get(view.TAG) != saved:
        client.set_experiment_tag(found.experiment_id, view.TAG, saved)
    return str(found.experiment_id)


def _runs_by_key(client: MlflowClient, experiment_id: str) -> dict[str, list[Run]]:
    """Every run of ours in the experiment, the finished ones of a key first."""
    runs: list[Run] = []
    token = None
    while token != "":
        page = client.search_runs([experiment_id], max_results=PAGE, page_token=token)
        runs += page
        token = page.token or ""
    groups: dict[str, list[Run]] = defaultdict(list)
    for run in sorted(runs, key=lambda run: (not _is_finished(run), run.info.start_time)):
        if KEY in run.data.tags:
            groups[run.data.tags[KEY]].append(run)
    return groups


def _tidied(client: MlflowClient, state: SweepState, groups: dict[str, list[Run]]) -> dict[str, Run]:
    """One run a key, after deleting the others, and ending what an interrupted process left running of old states."""
    for key, (run, *others) in groups.items():
        for other in others:
            client.delete_run(other.info.run_id)
        if key not in state.keys and run.info.status == "RUNNING":
            client.set_terminated(run.info.run_id, "KILLED")
    return {key: same[0] for key, same in groups.items()}


def _is_finished(run: Run) -> bool:
    return bool(run.info.status == "FINISHED")


def _is_child(run: Run | None, parent: Run) -> bool:
    """Whether the run of a cell is whole, and below this parent rather than one that was deleted."""
    return run is not None and _is_finished(run) and run.data.tags.get(PARENT) == parent.info.run_id


def _create_parent(client: MlflowClient, experiment_id: str, state: SweepState) -> Run:
    tags = _tags(state, "sweep", state.key, state.note)
    return client.create_run(experiment_id, tags=tags, run_name=f"{state.sweep} {state.digest[:6]}")


def _log_files(client: MlflowClient, parent: Run, state: SweepState) -> None:
    """Upload the figures and the table of all cells, and note which ones they are once they are all there."""
    for figure in state.figures:
        client.log_artifact(parent.info.run_id, str(figure), "figures")
    client.log_text(parent.info.run_id, state.table, "cells.csv")
    client.set_tag(parent.info.run_id, FILES, state.files_digest)


def _write_cell(client: MlflowClient, state: SweepState, parent: Run, record: Record) -> None:
    tags = _tags(state, "cell", state.cell_key(record.cell), record.note) | {PARENT: parent.info.run_id}
    not_finite = [name for name, value in record.metrics.items() if not math.isfinite(value)]
    if not_finite:
        tags[NOT_FINITE] = ", ".join(not_finite)  # MLflow would store infinity as 1.8e308
    run = client.create_run(parent.info.experiment_id, tags=tags, run_name=record.cell)
    now = run.info.start_time
    values = {name: math.nan if name in not_finite else value for name, value in record.metrics.items()}
    metrics = [Metric(name, value, now, 0) for name, value in values.items()]
    metrics += [Metric(CURVE, value, now, step) for step, value in record.curve]
    client.log_batch(run.info.run_id, metrics, [Param(name, value) for name, value in record.params.items()])
    client.set_terminated(run.info.run_id)


def _tags(state: SweepState, kind: str, key: str, note: str) -> dict[str, str]:
    return {
        KEY: key,
        "shoal.kind": kind,
        "shoal.sweep": state.sweep,
        "shoal.state": state.digest,
        "shoal.data": state.data_hash,
        NOTE: note,
        "mlflow.source.name": "shoal",
    }
