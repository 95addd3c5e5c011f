"""The runs in the MLflow store: what is missing, and how it is written.

Every run carries a key made of what it shows, so that tracking again adds what is missing and nothing else. A run
left RUNNING was interrupted. Runs without such a key are somebody else's and never touched.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

from filelock import FileLock
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, Run

from shoal.pipeline import progress
from shoal.pipeline.paths import Paths
from shoal.pipeline.provenance import freshness
from shoal.pipeline.tracking import destination, view
from shoal.pipeline.tracking.client import connected, every, is_ready
from shoal.pipeline.tracking.model import KEY, log_model, read_chosen
from shoal.pipeline.tracking.records import Record, Records, definitions
from shoal.pipeline.tracking.state import Granularity, SweepState, experiment_of, key_above, read_states
from shoal.pipeline.tracking.tags import Provenance

FILES = "shoal.files"
MODEL = "shoal.model"
STATE = "shoal.state"
NOT_FINITE = "shoal.not_finite"
PARENT = "mlflow.parentRunId"
NOTE = "mlflow.note.content"

Progress = Callable[[int, int], object]


def track(
    paths: Paths,
    sweeps: list[str],
    progress: Progress | None = None,
    granularity: Granularity = "cell",
    study: str | None = None,
) -> dict[str, Any]:
    """Bring the store up to date; returns the key of every run that it now holds for the named sweeps.

    Calls `progress` with runs done and runs in all. Waits while another process tracks the same project, which one
    does that outlived a killed `dvc`. Raises FileNotFoundError where results are missing, MixedError where they do not
    belong together, TrackingError where the store is out of reach.
    """
    states = read_states(paths, sweeps, granularity, study)
    freshness.refuse_mixture(paths)
    total, done = sum(len(state.keys) for state in states), 0
    paths.logs.mkdir(parents=True, exist_ok=True)
    with FileLock(paths.logs / "track.lock"), connected(paths) as client:
        for state in states:
            for _ in _write_sweep(client, paths, state):
                done += 1
                if progress:
                    progress(done, total)
    return {
        "store": destination.place(paths),
        "sweeps": {state.sweep: {"state": state.digest, "runs": state.keys} for state in states},
    }


def is_tracked(paths: Paths, sweeps: list[str], granularity: Granularity = "cell", study: str | None = None) -> bool:
    """Whether the store holds the current state of every named sweep; changes nothing.

    Raises FileNotFoundError where results are missing, TrackingError where the store is out of reach.
    """
    states = read_states(paths, sweeps, granularity, study)
    if not is_ready(paths):
        return False
    with connected(paths) as client:
        return all(_holds(client, state) for state in states)


def send(paths: Paths, sweeps: list[str], granularity: Granularity, study: str | None = None) -> bool:
    """Track what the store lacks, under a progress bar; whether that was anything. Raises what `track` does.

    What has changed after the results is told on the terminal.
    """
    lacks = not is_tracked(paths, sweeps, granularity, study)
    if lacks:
        with progress.bar("track") as advance:
            track(paths, sweeps, advance, granularity, study)
    freshness.tell(freshness.shown_outdated(paths, sweeps))
    return lacks


def experiment_ids(paths: Paths, sweeps: list[str], study: str | None = None) -> dict[str, str]:
    """Ids of the experiments of sweeps that are tracked."""
    with connected(paths) as client:
        found = {experiment.name: experiment.experiment_id for experiment in every(client.search_experiments)}
    return {sweep: str(found[experiment_of(sweep, study)]) for sweep in sweeps}


def _holds(client: MlflowClient, state: SweepState) -> bool:
    experiment = client.get_experiment_by_name(state.experiment)
    if experiment is None or experiment.lifecycle_stage == "deleted":
        return False
    runs = {key: same[0] for key, same in _runs_by_key(client, experiment.experiment_id, state).items()}
    parent = runs.get(state.key)
    if parent is None or not _is_finished(parent) or parent.data.tags.get(FILES) != state.files_digest:
        return False
    return all(_is_child(runs.get(key), runs.get(key_above(key))) for key in state.keys[1:])


def _write_sweep(client: MlflowClient, paths: Paths, state: SweepState) -> Iterator[None]:
    """Add what the store lacks of a state; yields once for every run that is there. The parent is finished last."""
    experiment_id = _experiment(client, paths, state)
    _end_interrupted(client, experiment_id, state)
    runs = _tidied(client, _runs_by_key(client, experiment_id, state))
    parent = runs.get(state.key) or _create_parent(client, experiment_id, state)
    if parent.data.tags.get(FILES) != state.files_digest:
        _log_files(client, paths, parent, state)
    runs[state.key] = parent
    records: Records | None = None
    for key in state.keys_to_write:
        above = runs[key_above(key)]
        if not _is_child(runs.get(key), above):
            if key in runs:
                client.delete_run(runs[key].info.run_id)
            records = records or Records(paths, state)
            runs[key] = _write(client, state, key, above, records.of(key))
        yield
    if not _is_finished(parent):
        client.set_terminated(parent.info.run_id)
    yield


def _experiment(client: MlflowClient, paths: Paths, state: SweepState) -> str:
    """Id of the experiment of a sweep, made or restored where needed, its saved view that of the present state."""
    found = client.get_experiment_by_name(state.experiment)
    if found is None:
        remote = destination.is_remote(destination.tracking_uri(paths))
        artifacts = None if remote else f"{destination.artifact_root(paths)}/{state.experiment}"
        tags = {NOTE: definitions(state), "mlflow.experimentKind": "custom_model_development"}
        found = client.get_experiment(client.create_experiment(state.experiment, artifacts, tags))
    elif found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
    saved = view.saved_view(state, found.creation_time or 0)
    if found.tags.get(view.TAG) != saved:
        client.set_experiment_tag(found.experiment_id, view.TAG, saved)
    return str(found.experiment_id)


def _runs_by_key(client: MlflowClient, experiment_id: str, state: SweepState) -> dict[str, list[Run]]:
    """Every run of the state in the experiment, the finished ones of a key first."""
    runs = every(client.search_runs, [experiment_id], f"tags.`{STATE}` = '{state.digest}'")
    groups: dict[str, list[Run]] = defaultdict(list)
    for run in sorted(runs, key=lambda run: (not _is_finished(run), run.info.start_time)):
        if KEY in run.data.tags:
            groups[run.data.tags[KEY]].append(run)
    return groups


def _end_interrupted(client: MlflowClient, experiment_id: str, state: SweepState) -> None:
    """End what an interrupted process left running of other states."""
    for run in every(client.search_runs, [experiment_id], "attributes.status = 'RUNNING'"):
        if KEY in run.data.tags and run.data.tags.get(STATE) != state.digest:
            client.set_terminated(run.info.run_id, "KILLED")


def _tidied(client: MlflowClient, groups: dict[str, list[Run]]) -> dict[str, Run]:
    """One run a key, after deleting the others."""
    for _, *others in groups.values():
        for other in others:
            client.delete_run(other.info.run_id)
    return {key: same[0] for key, same in groups.items()}


def _is_finished(run: Run) -> bool:
    return bool(run.info.status == "FINISHED")


def _is_child(run: Run | None, above: Run | None) -> bool:
    """Whether a run is whole, and below the run `above` rather than one that was deleted."""
    if run is None or above is None:
        return False
    return _is_finished(run) and bool(run.data.tags.get(PARENT) == above.info.run_id)


def _create_parent(client: MlflowClient, experiment_id: str, state: SweepState) -> Run:
    tags = _tags(state, "sweep", state.key, state.note)
    return client.create_run(experiment_id, tags=tags, run_name=f"{state.sweep} {state.digest[:6]}")


def _log_files(client: MlflowClient, paths: Paths, parent: Run, state: SweepState) -> None:
    """Hang at the sweep's run what belongs to it as a whole, and note which state of it once it is all there."""
    run_id, provenance = parent.info.run_id, state.provenance
    if not parent.data.metrics:
        client.log_batch(run_id, _metrics(provenance.metrics, parent.info.start_time))
    client.log_inputs(run_id, _inputs(provenance))
    for figure in state.figures:
        client.log_artifact(run_id, str(figure), "figures")
    client.log_text(run_id, state.table, "cells.csv")
    if state.choice is not None:
        chosen = read_chosen(paths, state.choice)
        client.set_tag(run_id, MODEL, f"models:/{log_model(client, parent, chosen)}")
    elif MODEL in parent.data.tags:
        client.delete_tag(run_id, MODEL)
    client.set_tag(run_id, FILES, state.files_digest)


def _write(client: MlflowClient, state: SweepState, key: str, above: Run, record: Record) -> Run:
    tags = _tags(state, record.kind, key, record.note) | record.tags | {PARENT: above.info.run_id}
    if record.not_finite:
        tags[NOT_FINITE] = ", ".join(record.not_finite)  # MLflow would store infinity as 1.8e308
    run = client.create_run(above.info.experiment_id, tags=tags, run_name=record.name)
    now = run.info.start_time
    metrics = _metrics(record.metrics | state.provenance.metrics, now)
    metrics += [Metric(name, value, now, step) for name, curve in record.curves.items() for step, value in curve]
    client.log_batch(run.info.run_id, metrics, [Param(name, value) for name, value in record.params.items()])
    client.log_inputs(run.info.run_id, _inputs(state.provenance))
    client.set_terminated(run.info.run_id)
    return run


def _metrics(values: dict[str, float], start: int) -> list[Metric]:
    """Metrics as of the run's own start, so that writing them again adds none; what is not finite is NaN."""
    return [Metric(name, value if math.isfinite(value) else math.nan, start, 0) for name, value in values.items()]


def _inputs(provenance: Provenance) -> list[DatasetInput]:
    data = provenance.data
    source = '{"uri": "data/train.parquet"}'
    dataset = Dataset("training data", data.digest[:16], "local", source, data.schema, data.profile)
    return [DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])]


def _tags(state: SweepState, kind: str, key: str, note: str) -> dict[str, str]:
    return state.provenance.tags | {
        KEY: key,
        "shoal.kind": kind,
        "shoal.sweep": state.sweep,
        STATE: state.digest,
        NOTE: note,
        "mlflow.source.name": "shoal",
    }
