"""MLflow as a view of the result files: an experiment a sweep, a run a sweep state, a nested run a cell.

Every run carries a key made of what it shows, so that tracking again adds what is missing and nothing else. A run
left RUNNING was interrupted. Runs without such a key are somebody else's and never touched.
"""

from __future__ import annotations

import logging
import math
import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

# Read by MLflow when it is imported, and inherited by the servers started from here.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")

from mlflow import MlflowClient
from mlflow.entities import Experiment, Metric, Param, Run

from pipeline.paths import Paths
from pipeline.records import DEFINITIONS, Record, SweepState, read_records, read_state

logging.getLogger("alembic").setLevel(logging.WARNING)

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
        for _ in _sweep_writes(client, paths, state):
            done += 1
            if progress:
                progress(done, total)
    return {"sweeps": {state.sweep: {"state": state.digest, "runs": state.keys} for state in states}}


def is_tracked(paths: Paths, sweeps: list[str]) -> bool:
    """Whether the store holds the whole current state of every named sweep; changes nothing."""
    states = [read_state(paths, sweep) for sweep in sweeps]
    if tracking_uri(paths) == _own_uri(paths) and not paths.mlflow_database.exists():
        return False
    client = _client(paths)
    return all(_holds(client, state) for state in states)


def tracking_uri(paths: Paths) -> str:
    """The store: MLFLOW_TRACKING_URI where it is set, else the project's own database."""
    return os.environ.get("MLFLOW_TRACKING_URI") or _own_uri(paths)


def artifact_root(paths: Paths) -> str:
    """URI of the folder for figures and tables."""
    return paths.mlflow_artifacts.resolve().as_uri()


def _own_uri(paths: Paths) -> str:
    return f"sqlite:///{paths.mlflow_database.resolve().as_posix()}"


def _client(paths: Paths) -> MlflowClient:
    uri = tracking_uri(paths)
    if uri == _own_uri(paths) and not paths.mlflow_database.exists():
        with closing(sqlite3.connect(paths.mlflow_database)) as database:
            database.execute("PRAGMA journal_mode=WAL")  # a property of the file: readers and a writer at once
    return MlflowClient(tracking_uri=uri)


def _sweep_writes(client: MlflowClient, paths: Paths, state: SweepState):  # noqa: ANN202
    ...
