"""What goes wrong between here and a tracking store, as one line: the store, what was found, a way out."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import requests
from mlflow.exceptions import MlflowException
from mlflow.version import VERSION
from sqlalchemy.exc import OperationalError

from shoal.pipeline.config.faults import Fault, shown
from shoal.pipeline.errors import ShoalError
from shoal.pipeline.tracking import destination

STORES = "sqlite:////FOLDER/mlflow.db, http://HOST:PORT, or no MLFLOW_TRACKING_URI: the runs are then in mlflow.db"
AGAIN = "run the same command again"
BUILT_ANEW = f"rename it and {AGAIN}; a new one is built from the result files"
DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
"""SQLite's codes for a file that is no whole database."""

_NO_ENTRY = ("a place that cannot be opened or written", "a file in a folder that may be read and written")
_BUSY = ("another process that keeps it locked", f"wait for that process, or end it, and {AGAIN}")
_DISK_FULL = ("a full disk, or a limit on the size of files", f"free some space and {AGAIN}")
_OF_SQLITE = {
    sqlite3.SQLITE_BUSY: _BUSY,
    sqlite3.SQLITE_LOCKED: _BUSY,
    sqlite3.SQLITE_FULL: _DISK_FULL,
    sqlite3.SQLITE_IOERR: _DISK_FULL,  # what a write beyond the limit of `ulimit -f` ends with
    sqlite3.SQLITE_PERM: _NO_ENTRY,
    sqlite3.SQLITE_READONLY: _NO_ENTRY,
    sqlite3.SQLITE_CANTOPEN: _NO_ENTRY,
} | dict.fromkeys(DAMAGED, ("a damaged file", BUILT_ANEW))

_ADDRESS = f"the address of an MLflow server that runs, or no {destination.VARIABLE}: the runs are then in mlflow.db"
_OF_KIND: dict[type[Exception], tuple[str, str]] = {
    TimeoutError: ("no answer in time", f"{_ADDRESS}; MLFLOW_HTTP_REQUEST_TIMEOUT=60 waits 60 s"),
    requests.exceptions.SSLError: (
        "no https, or a certificate that is not trusted",
        "MLFLOW_TRACKING_SERVER_CERT_PATH, the file of who signed it, MLFLOW_TRACKING_INSECURE_TLS=true, or http://",
    ),
    requests.exceptions.RetryError: ("an error of the server", f"see the server's own log, and {AGAIN}"),
    requests.exceptions.InvalidURL: ("no address of a server", "such as http://127.0.0.1:5000"),
    requests.exceptions.RequestException: ("nothing that answers", _ADDRESS),
}
"""On the way to a server, by kind of error, special ones first."""

_SERVER = f"an MLflow server of version {VERSION}, and its whole address"
_CREDENTIALS = "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN, of one who may write"
_OF_STATUS = {
    401: ("a server that asks who you are (401)", _CREDENTIALS),
    403: ("a server that refuses you (403)", _CREDENTIALS),
    404: ("a server that lacks what was asked for (404)", _SERVER),
}


class TrackingError(ShoalError):
    """The store `place` or the way to it is at fault."""

    def __init__(self, place: str, found: str, allowed: str) -> None:
        super().__init__(str(Fault("", found, allowed, place)))


def told(error: Exception, place: str) -> TrackingError | None:
    """What MLflow, or what lies below it, raised as a line; None where that is no fault of the store."""
    words = next(filter(None, map(_words, reversed(list(_causes(error))))), None)  # the innermost says most
    if words is None and isinstance(error, MlflowException) and destination.is_remote(place):
        status = error.get_http_status_code()  # type: ignore[no-untyped-call]
        words = _OF_STATUS.get(status, (f"the answer {_quoted(error)}", _SERVER))
    return TrackingError(place, *words) if words else None


def unopened(error: Exception, place: str) -> TrackingError:
    """What was raised when a store was opened for the first time, as a line."""
    if "mlflow db upgrade" in str(error):
        address = place if "://" in place else destination.SQLITE + place
        return TrackingError(
            place, "the tables of an older MLflow", f"a copy of it, then `mlflow db upgrade {address}`"
        )
    if "filesystem tracking backend" in str(error):
        return TrackingError(destination.VARIABLE, f"{shown(place)}, a folder for MLflow, which takes none now", STORES)
    if "unsupported URI" in str(error):
        return TrackingError(destination.VARIABLE, shown(place), STORES)
    return told(error, place) or TrackingError(place, f"a store that cannot be opened: {_quoted(error)}", STORES)


def code_of(error: sqlite3.Error) -> int:
    """SQLite's primary code of an error, 0 where there is none."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _words(error: BaseException) -> tuple[str, str] | None:
    """What was found and what is allowed, as far as the kind of this one error says it."""
    if isinstance(error, sqlite3.Error):
        return _OF_SQLITE.get(code_of(error))
    if isinstance(error, OperationalError) and not isinstance(error.orig, sqlite3.Error):
        return f"an error of the database: {_quoted(error.orig)}", "a database that runs, and credentials that it takes"
    return next((words for kind, words in _OF_KIND.items() if isinstance(error, kind)), None)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _quoted(error: object) -> str:
    """The first line of a foreign message, without credentials."""
    lines = destination.without_credentials(str(error)).strip().splitlines()
    return shown(lines[0] if lines else "")
