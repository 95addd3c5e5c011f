"""The client of the MLflow store, and the store itself where it is not there yet."""

from __future__ import annotations

import logging
import sqlite3
from contextlib import closing
from pathlib import Path

from mlflow import MlflowClient

from pipeline import store
from pipeline.paths import Paths
from pipeline.tracking import location

for chatter in ("alembic", "mlflow.store.db.utils", "mlflow.pyfunc"):
    logging.getLogger(chatter).setLevel(logging.WARNING)


def client_of(paths: Paths) -> MlflowClient:
    """A client of the store; a SQLite store is made first, as a whole or not at all."""
    if database := location.absent_database(paths):
        store.write_whole(database, _make)
    return MlflowClient(tracking_uri=location.tracking_uri(paths))


def _make(database: Path) -> None:
    """A store without runs. Its tables take 2 s, in which a killed process would leave half of them for ever."""
    MlflowClient(tracking_uri=location.sqlite_uri(database)).search_experiments(max_results=1)
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")  # a property of the file: reading goes on during a write
