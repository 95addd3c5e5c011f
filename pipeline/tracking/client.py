"""The client of the MLflow store: the one place where a store is opened, and where what goes wrong becomes a line."""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import requests
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.exc import SQLAlchemyError

from shoal.pipeline.paths import Paths
from shoal.pipeline.tracking import database, destination, faults

for chatter, level in (
    ("alembic", logging.WARNING),
    ("mlflow.pyfunc", logging.WARNING),
    ("mlflow.store.db.utils", logging.CRITICAL),  # it logs the traceback of what it raises
):
    logging.getLogger(chatter).setLevel(level)

AT_FIRST = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "8", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
THEN = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "30", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2"}
"""How long a server is waited for where the user says nothing: MLflow's own 120 s, eight times, are long silences."""

PAGE = 10_000
"""Rows of an answer: MLflow gives 50,000 at most, and says where the next ones begin."""


@event.listens_for(Engine, "connect")
def _without_waiting(connection: Any, record: object) -> None:
    """Let none of the eight transactions that a run takes wait for the disk where SQLite keeps a log of them.

    No end of the machine damages such a database; what of its last moments is lost is tracked again.
    """
    if isinstance(connection, sqlite3.Connection) and connection.execute("PRAGMA journal_mode").fetchone() == ("wal",):
        connection.execute("PRAGMA synchronous=NORMAL")


@contextmanager
def connected(paths: Paths) -> Iterator[MlflowClient]:
    """A client of the store, which is made, or made anew, where it has to be.

    Raises TrackingError for all that the store or the way to it is at fault for, within the block too.
    """
    with _told(paths):
        database.prepare(paths)
        with _patience(AT_FIRST):
            client = _opened(paths)
        with _patience(THEN):
            yield client


def is_ready(paths: Paths) -> bool:
    """Whether the store is there as it is, as far as can be said without opening it; changes nothing."""
    with _told(paths):
        return database.state(paths) is database.State.READY


def every(search: Callable[..., Any], *arguments: Any) -> list[Any]:
    """All that a search of a client finds, page by page."""
    found: list[Any] = []
    token = None
    while True:
        page = search(*arguments, max_results=PAGE, page_token=token)
        found += page
        token = page.token
        if not token:
            return found


@contextmanager
def _told(paths: Paths) -> Iterator[None]:
    try:
        yield
    except (MlflowException, SQLAlchemyError, sqlite3.Error, requests.RequestException) as error:
        line = faults.told(error, destination.place(paths))
        if line is None:
            raise
        raise line from None


def _opened(paths: Paths) -> MlflowClient:
    """A client that has asked its first question."""
    uri = destination.tracking_uri(paths)
    try:
        if destination.is_database_server(uri):
            create_engine(uri).connect().close()  # MLflow would try a dead one for two minutes
        client = MlflowClient(tracking_uri=uri)
        client.search_experiments(max_results=1)
    except (MlflowException, SQLAlchemyError, ImportError) as error:
        raise faults.unopened(error, destination.place(paths)) from None
    return client


@contextmanager
def _patience(values: dict[str, str]) -> Iterator[None]:
    """Variables of the environment that the user has not set."""
    ours = {name: value for name, value in values.items() if name not in os.environ}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name in ours:
            del os.environ[name]
