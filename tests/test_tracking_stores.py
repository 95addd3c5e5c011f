"""The file of a store: moved with its project, damaged, of another version or of somebody else; and where runs go."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from shoal.pipeline.errors import ShoalError
from shoal.pipeline.paths import Paths
from shoal.pipeline.stages import track as stage
from shoal.pipeline.terminal import cli
from shoal.pipeline.tracking import client, database, destination, is_tracked, track
from tests import studies
from tests.made_up import SMALL, assert_whole, client_of, copy_store, parent_of, runs_of, write_results

pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:DeprecationWarning")

Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _made_fast(blank: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new store is a copy of the blank one."""
    monkeypatch.setattr(database, "_make", lambda to: copy_store(blank, to))


def number_of_runs(file: Path) -> int:
    with closing(sqlite3.connect(file)) as connection:
        return int(connection.execute("SELECT count(*) FROM runs").fetchone()[0])


def set_version(file: Path, version: str) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (version,))


# ---- copied and moved projects


@pytest.fixture
def tracked(root: Path) -> Paths:
    paths = write_results(root, {"sizes": SMALL})
    track(paths, ["sizes"])
    return paths


def test_a_copied_project_has_a_store_of_its_own(tracked: Paths, tmp_path: Path, capsys: Captured) -> None:
    """Runs, figures and model go below the copy; the first folder stays as it is, and what was copied is kept."""
    with closing(sqlite3.connect(tracked.mlflow_database)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    copy = Paths(shutil.copytree(tracked.root, tmp_path / "copy"))
    before = studies.files(tracked.root)
    assert not is_tracked(copy, ["sizes"])
    assert not (copy.root / "mlflow.moved.db").exists()
    receipt = track(copy, ["sizes"])
    assert capsys.readouterr().err == (
        "mlflow.db: made in another folder, whose files it names; "
        "kept as mlflow.moved.db, and built anew from the results\n"
    )
    assert_whole(copy, ["sizes"], receipt)
    assert is_tracked(copy, ["sizes"])
    parent = parent_of(copy, "sizes")
    assert destination.local_path(parent.info.artifact_uri).is_relative_to(copy.mlflow_artifacts)
    [model] = client_of(copy).search_logged_models([parent.info.experiment_id])
    assert destination.local_path(model.artifact_location).is_relative_to(copy.mlflow_artifacts)
    assert studies.files(tracked.root) == before
    assert number_of_runs(copy.root / "mlflow.moved.db") == 3
    assert is_tracked(tracked, ["sizes"])


def test_moved_twice_is_kept_twice_with_what_was_not_yet_in_the_file(tracked: Paths, tmp_path: Path) -> None:
    """A project that is moved while a process has the store open takes the log of writes along."""
    reader = sqlite3.connect(tracked.mlflow_database)
    reader.execute("SELECT * FROM runs").fetchall()
    first = Paths(tracked.root.rename(tmp_path / "first"))
    track(first, ["sizes"])
    reader.close()
    second = Paths(first.root.rename(tmp_path / "second"))
    assert_whole(second, ["sizes"], track(second, ["sizes"]))
    assert {path.name for path in second.root.glob("mlflow.*db")} == {
        "mlflow.db",
        "mlflow.moved.db",
        "mlflow.moved-2.db",
    }
    assert [number_of_runs(second.root / f"mlflow.moved{n}.db") for n in ("", "-2")] == [3, 3]


def test_a_link_to_the_project_is_the_project(tracked: Paths, tmp_path: Path, capsys: Captured) -> None:
    """By another name, and where the folder is elsewhere now and its old name leads there."""
    (tmp_path / "link").symlink_to(tracked.root)
    assert is_tracked(Paths(tmp_path / "link"), ["sizes"])
    elsewhere = tracked.root.rename(tmp_path / "elsewhere")
    tracked.root.symlink_to(elsewhere)
    assert is_tracked(Paths(elsewhere), ["sizes"])
    track(Paths(elsewhere), ["sizes"])
    assert not capsys.readouterr().err


def test_experiments_of_the_users_own_may_lie_anywhere(tracked: Paths, tmp_path: Path, capsys: Captured) -> None:
    client_of(tracked).create_experiment("mine", artifact_location=(tmp_path / "mine").as_uri())
    client_of(tracked).create_experiment("plain", artifact_location=str(tmp_path / "mlartifacts" / "7"))
    assert is_tracked(tracked, ["sizes"])
    track(tracked, ["sizes"])
    assert not capsys.readouterr().err


def test_the_variable_may_name_the_projects_own_store(
    tracked: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = Paths(shutil.copytree(tracked.root, tmp_path / "copy"))
    monkeypatch.chdir(copy.root)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///mlflow.db")
    assert track(Paths(), ["sizes"])["store"] == "mlflow.db"
    assert number_of_runs(copy.root / "mlflow.moved.db") == number_of_runs(copy.root / "mlflow.db") == 3


# ---- files that are of no use


@pytest.mark.parametrize("damage", ["text", "cut", "page", "foreign"])
def test_a_damaged_store_is_built_anew(tracked: Paths, tmp_path: Path, damage: str, capsys: Captured) -> None:
    """It is a view of the result files, and what is left of it is kept."""
    whole = tracked.mlflow_database.read_bytes()
    paths = Paths(shutil.copytree(tracked.root, tmp_path / "copy", ignore=shutil.ignore_patterns("mlflow.db*")))
    if damage == "foreign":
        with closing(sqlite3.connect(paths.mlflow_database)) as connection, connection:
            connection.execute("CREATE TABLE songs (name TEXT)")
    else:
        page = len(whole) // 4096 // 2 * 4096
        bad = {"text": b"no database", "cut": whole[:-5000], "page": whole[:page] + bytes(4096) + whole[page + 4096 :]}
        paths.mlflow_database.write_bytes(bad[damage])
    left = paths.mlflow_database.read_bytes()
    assert not is_tracked(paths, ["sizes"])
    assert_whole(paths, ["sizes"], track(paths, ["sizes"]))
    assert capsys.readouterr().err == (
        "mlflow.db: no whole database of MLflow; kept as mlflow.damaged.db, and built anew from the results\n"
    )
    assert (paths.root / "mlflow.damaged.db").read_bytes() == left


def test_an_empty_file_is_no_store_yet(root: Path, capsys: Captured) -> None:
    paths = write_results(root, {"sizes": SMALL})
    paths.mlflow_database.write_bytes(b"")
    assert not is_tracked(paths, ["sizes"])
    assert_whole(paths, ["sizes"], track(paths, ["sizes"]))
    assert not capsys.readouterr().err


def test_a_damaged_store_of_the_users_is_left_alone(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths, theirs = write_results(root, {"sizes": SMALL}), tmp_path / "theirs.db"
    theirs.write_text("no database", encoding="utf-8")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{theirs}")
    with pytest.raises(ShoalError) as refusal:
        track(paths, ["sizes"])
    assert str(refusal.value) == (
        f"sqlite:///{theirs}: found no whole database of MLflow; "
        "allowed: rename it and run the same command again; a new one is built from the result files"
    )
    assert theirs.read_text(encoding="utf-8") == "no database"


def test_tables_of_another_version(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Older ones can be upgraded; MLflow cannot read newer ones."""
    paths, theirs = write_results(root, {"sizes": SMALL}), tmp_path / "theirs.db"
    copy_store(paths.mlflow_database, theirs)
    set_version(paths.mlflow_database, "f" * 12)
    with pytest.raises(ShoalError, match=r"^mlflow\.db: found the tables of a newer MLflow than 3.*; allowed: rename"):
        track(paths, ["sizes"])
    assert paths.mlflow_database.exists()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{theirs}")
    set_version(theirs, "0584bdc529eb")
    with pytest.raises(ShoalError) as refusal:
        track(paths, ["sizes"])
    uri = f"sqlite:///{theirs}"
    assert str(refusal.value) == (
        f"{uri}: found the tables of an older MLflow; allowed: a copy of it, then `mlflow db upgrade {uri}`"
    )


# ---- more runs than one answer holds


def test_every_page_of_a_search_is_read(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that gives two rows at a time has no run twice, and every run that was left running is ended."""
    paths = write_results(root, {"sizes": SMALL | {f"relu-d{n}-w005": 0 for n in range(2, 6)}})
    monkeypatch.setattr(client, "PAGE", 2)
    receipt = track(paths, ["sizes"])
    first = {run.info.run_id for run in runs_of(paths, "sizes")}
    assert is_tracked(paths, ["sizes"])
    assert track(paths, ["sizes"]) == receipt
    assert {run.info.run_id for run in runs_of(paths, "sizes")} == first and len(first) == 7
    for run_id in first:
        client_of(paths).set_terminated(run_id, "RUNNING")
    write_results(root, {"sizes": SMALL})
    track(paths, ["sizes"])
    assert {run.info.status for run in runs_of(paths, "sizes") if run.info.run_id in first} == {"KILLED"}


# ---- where runs go


@pytest.fixture
def finished(root: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    """A study in the current folder, as the track stage leaves it."""
    write_results(root, {"sizes": SMALL})
    monkeypatch.chdir(studies.write(root, {"sizes": studies.SIZES}).root)
    stage.run(Paths())
    return Paths()


def shoal_track(capsys: Captured, *words: str) -> str:
    with pytest.raises(SystemExit) as end:
        cli.main(["track", *words])
    out, err = capsys.readouterr()
    assert (end.value.code, err) == (0, "")
    return out


def test_a_finished_study_goes_where_the_variable_points(
    finished: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured, blank: Path
) -> None:
    """Whatever the receipt says; what is there already is not sent again, and the stage's receipt stays."""
    receipt = finished.receipt.read_bytes()
    assert json.loads(receipt)["store"] == "mlflow.db"
    assert shoal_track(capsys) == "mlflow.db: has all results already\n"
    assert not shoal_track(capsys, "--if-elsewhere")
    copy_store(blank, tmp_path / "other.db")
    uri = f"sqlite:///{tmp_path / 'other.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    assert shoal_track(capsys, "--if-elsewhere") == f"{uri}: has all results now\n"
    assert shoal_track(capsys, "--if-elsewhere") == f"{uri}: has all results already\n"
    assert_whole(finished, ["sizes"], json.loads(receipt))
    assert finished.receipt.read_bytes() == receipt
    stage.run(finished)
    assert json.loads(finished.receipt.read_bytes()) == json.loads(receipt) | {"store": uri}
    assert not shoal_track(capsys, "--if-elsewhere")
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert shoal_track(capsys, "--if-elsewhere") == "mlflow.db: has all results already\n"


@pytest.mark.parametrize(
    ("uri", "place"),
    [
        ("http://me:secret@127.0.0.1:5000/", "http://127.0.0.1:5000"),
        ("https://me:sec@ret@host/mlflow?token=secret", "https://host/mlflow"),
        ("postgresql://me:secret@host:5432/db?sslpassword=secret", "postgresql://host:5432/db"),
        ("", "mlflow.db"),
    ],
)
def test_a_place_is_named_without_secrets(uri: str, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    assert destination.place(Paths()) == place
