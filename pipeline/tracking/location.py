"""Where the MLflow store lies: absolute, so that nothing depends on the folder a command is started in."""

from __future__ import annotations

import os
from pathlib import Path

from pipeline.paths import Paths

SQLITE = "sqlite:///"


def tracking_uri(paths: Paths) -> str:
    """The store: MLFLOW_TRACKING_URI where it is set, else the project's own database."""
    return os.environ.get("MLFLOW_TRACKING_URI") or sqlite_uri(paths.mlflow_database)


def sqlite_uri(database: Path) -> str:
    """The URI of a database file."""
    return f"{SQLITE}{database.resolve().as_posix()}"


def artifact_root(paths: Paths) -> str:
    """URI of the folder for figures and tables, unless a server has a place of its own for them."""
    return paths.mlflow_artifacts.resolve().as_uri()


def is_remote(uri: str) -> bool:
    """Whether a tracking URI is the address of a server."""
    return uri.startswith(("http://", "https://"))


def absent_database(paths: Paths) -> Path | None:
    """The file of the store where that is a SQLite database which is not there yet."""
    uri = tracking_uri(paths)
    if not uri.startswith(SQLITE):
        return None
    database = Path(uri.removeprefix(SQLITE).partition("?")[0])
    return None if database.exists() else database
