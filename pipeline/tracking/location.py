"""Where the MLflow store lies: absolute, so that nothing depends on the folder a command is started in."""

from __future__ import annotations

import os

from pipeline.paths import Paths


def tracking_uri(paths: Paths) -> str:
    """The store: MLFLOW_TRACKING_URI where it is set, else the project's own database."""
    return os.environ.get("MLFLOW_TRACKING_URI") or _own_uri(paths)


def artifact_root(paths: Paths) -> str:
    """URI of the folder for figures and tables, unless a server has a place of its own for them."""
    return paths.mlflow_artifacts.resolve().as_uri()


def is_remote(uri: str) -> bool:
    """Whether a tracking URI is the address of a server."""
    return uri.startswith(("http://", "https://"))


def is_absent(paths: Paths) -> bool:
    """Whether the project's own database is the store, and is not there yet."""
    return tracking_uri(paths) == _own_uri(paths) and not paths.mlflow_database.exists()


def _own_uri(paths: Paths) -> str:
    return f"sqlite:///{paths.mlflow_database.resolve().as_posix()}"
