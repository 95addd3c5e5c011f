"""Where runs go, the MLflow store: absolute, so that nothing depends on the folder a command is started in."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from shoal.pipeline.paths import Paths

VARIABLE = "MLFLOW_TRACKING_URI"
SQLITE = "sqlite:///"


def tracking_uri(paths: Paths) -> str:
    """The store: MLFLOW_TRACKING_URI where it is set, else the project's own database."""
    return os.environ.get(VARIABLE) or sqlite_uri(paths.mlflow_database)


def sqlite_uri(database: Path) -> str:
    """The URI of a database file."""
    return f"{SQLITE}{database.resolve().as_posix()}"


def artifact_root(paths: Paths) -> str:
    """URI of the folder for figures and tables, unless a server has a place of its own for them."""
    return paths.mlflow_artifacts.resolve().as_uri()


def local_path(uri: str) -> Path:
    """The path that a `file:` URI names; a path is its own."""
    return Path(unquote(urlsplit(uri).path) if uri.startswith("file:") else uri)


def is_remote(uri: str) -> bool:
    """Whether a tracking URI is the address of a server."""
    return uri.startswith(("http://", "https://"))


def is_database_server(uri: str) -> bool:
    """Whether a tracking URI names a database that is no file."""
    return uri.startswith(("postgresql", "mysql", "mssql"))


def database(paths: Paths) -> Path | None:
    """The file of the store, where that is a SQLite database."""
    uri = tracking_uri(paths)
    return Path(uri.removeprefix(SQLITE).partition("?")[0]) if uri.startswith(SQLITE) else None


def is_own(paths: Paths) -> bool:
    """Whether the store is the project's own database, which is a view of its files and nothing else."""
    file = database(paths)
    return file is not None and file.resolve() == paths.mlflow_database.resolve()


def place(paths: Paths) -> str:
    """The store as receipts and messages name it: the project's own without its folder, others without credentials."""
    if is_own(paths):
        return paths.mlflow_database.name
    return without_credentials(tracking_uri(paths)).rstrip("/")


def without_credentials(text: str) -> str:
    """The text without what addresses in it may hold of secrets: user and password, and what follows a `?`."""
    anonymous = re.sub(r"://[^/?#\s]*@", "://", text)
    return re.sub(r"(://[^?\s]*)\?\S*", r"\1", anonymous)
