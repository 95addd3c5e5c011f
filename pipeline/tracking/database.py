"""The SQLite file of a store: looked at before MLflow opens it, put aside where it is of no use, made as a whole."""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing
from enum import Enum
from itertools import chain, count
from pathlib import Path

import mlflow
from mlflow import MlflowClient
from mlflow.version import VERSION

from shoal.pipeline import store
from shoal.pipeline.paths import Paths
from shoal.pipeline.tracking import destination
from shoal.pipeline.tracking.faults import BUILT_ANEW, DAMAGED, STORES, TrackingError, code_of

IN_MEMORY = ("sqlite://", "sqlite:///", "sqlite:///:memory:")
NOT_WHOLE = "no whole database of MLflow"


class State(Enum):
    """What the file of a store is to us."""

    READY = "ready"
    ABSENT = "absent"
    DAMAGED = "damaged"
    MOVED = "moved"


_SAID = {State.DAMAGED: NOT_WHOLE, State.MOVED: "made in another folder, whose files it names"}


def state(paths: Paths) -> State:
    """What the file of the store is; READY where the store is no SQLite database. Changes nothing.

    MOVED is the project's own database after the project was copied or moved: MLflow would go on writing into the
    folder where the experiments were made. DAMAGED, too, is the project's own alone, as it can be built anew.
    Raises TrackingError where any other database is of no use, sqlite3.Error where one cannot be read now.
    """
    file, uri = destination.database(paths), destination.tracking_uri(paths)
    if uri in IN_MEMORY:
        raise TrackingError(destination.VARIABLE, f"'{uri}', a database without a file", STORES)
    if file is None:
        return State.READY
    if not file.exists() or file.stat().st_size == 0:
        return State.ABSENT
    try:
        with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=rw", uri=True)) as connection:
            found = _judged(paths, connection)
    except sqlite3.DatabaseError as error:
        if code_of(error) not in DAMAGED:
            raise
        found = State.DAMAGED
    if destination.is_own(paths) or found is State.READY:
        return found
    raise TrackingError(destination.place(paths), NOT_WHOLE, BUILT_ANEW)


def prepare(paths: Paths) -> None:
    """Leave a file that MLflow can open: what is damaged or moved is kept under another name, and a line says so."""
    file, found = destination.database(paths), state(paths)
    if file is None or found is State.READY:
        return
    if found is not State.ABSENT:
        kept = _put_aside(file, found)
        print(f"{file.name}: {_SAID[found]}; kept as {kept.name}, and built anew from the results", file=sys.stderr)
    store.write_whole(file, _make)


def _judged(paths: Paths, connection: sqlite3.Connection) -> State:
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    whole = connection.execute("PRAGMA quick_check(1)").fetchone() == ("ok",)
    if not whole or (tables and "experiments" not in tables):
        return State.DAMAGED
    if "alembic_version" in tables:
        _refuse_newer(paths, connection)
    return State.MOVED if destination.is_own(paths) and _is_moved(paths, connection) else State.READY


def _refuse_newer(paths: Paths, connection: sqlite3.Connection) -> None:
    """MLflow names its tables' versions after the migrations that made them; it lacks those that came after it."""
    migrations = Path(mlflow.__file__).parent / "store" / "db_migrations" / "versions"
    for (version,) in connection.execute("SELECT version_num FROM alembic_version"):
        if not any(migrations.glob(f"{version}_*.py")):
            raise TrackingError(destination.place(paths), f"the tables of a newer MLflow than {VERSION}", BUILT_ANEW)


def _is_moved(paths: Paths, connection: sqlite3.Connection) -> bool:
    """Whether an experiment that was made as `track` makes them, a folder of its name each, keeps its files elsewhere.

    An experiment whose files the user has put somewhere on purpose has no such folder.
    """
    here = paths.mlflow_artifacts.resolve()
    rows = connection.execute("SELECT name, artifact_location FROM experiments WHERE artifact_location IS NOT NULL")
    folders = [destination.local_path(place) for name, place in rows if place.endswith(f"/{here.name}/{name}")]
    return any(folder.parent.resolve() != here for folder in folders)


def _put_aside(file: Path, found: State) -> Path:
    """Rename a database; what SQLite keeps beside it goes first, as it must never lie beside a new one."""
    names = (f"{file.stem}.{found.value}{number}{file.suffix}" for number in chain([""], (f"-{n}" for n in count(2))))
    kept = next(path for path in map(file.with_name, names) if not path.exists())
    if found is State.MOVED:
        with closing(sqlite3.connect(file)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for ending in ("-wal", "-shm", ""):
        if (part := file.with_name(file.name + ending)).exists():
            part.rename(kept.with_name(kept.name + ending))
    return kept


def _make(database: Path) -> None:
    """A store without runs. Its tables take 2 s, in which a killed process would leave half of them for ever."""
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("BEGIN IMMEDIATE")  # where nothing can be written, MLflow would try for two minutes
    MlflowClient(tracking_uri=destination.sqlite_uri(database)).search_experiments(max_results=1)
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")  # a property of the file: reading goes on during a write
