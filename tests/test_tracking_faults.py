"""Whatever a store or the way to it is at fault for is one line with a way out, and never a password."""

from __future__ import annotations

import resource
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from shoal.pipeline.paths import Paths
from shoal.pipeline.terminal import cli
from shoal.pipeline.tracking import client, server
from tests import studies
from tests.made_up import SMALL, copy_store, write_results

pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:DeprecationWarning")

Refusal = Callable[..., str]
OR_NONE = "or no MLFLOW_TRACKING_URI: the runs are then in mlflow.db"
STORES = f"sqlite:////FOLDER/mlflow.db, http://HOST:PORT, {OR_NONE}"


@pytest.fixture
def refusal(root: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Refusal:
    """The one line that `shoal track` of a finished study ends with, with the variable as it is given."""
    write_results(root, {"sizes": SMALL})
    monkeypatch.chdir(studies.write(root, {"sizes": studies.SIZES}).root)

    def refused(uri: str = "", *words: str) -> str:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        with pytest.raises(SystemExit) as end:
            cli.main(words or ["track"])
        out, err = capfd.readouterr()
        assert (end.value.code, out) == (2, "")
        [line] = err.splitlines()
        assert "secret" not in line
        return line

    return refused


# ---- addresses


@pytest.mark.parametrize("uri", ["./mlruns", "/somewhere/else", "file:///somewhere", "127.0.0.1:5000"])
def test_a_folder_is_no_store(refusal: Refusal, uri: str) -> None:
    found = f"MLFLOW_TRACKING_URI: found '{uri}', a folder for MLflow, which takes none now; allowed: {STORES}"
    assert refusal(uri) == found
    assert not Path("mlruns").exists()


@pytest.mark.parametrize("uri", ["localhost:5000", "ftp://me:secret@host/x"])
def test_an_unknown_kind_of_store(refusal: Refusal, uri: str) -> None:
    shown = uri.replace("me:secret@", "")
    assert refusal(uri) == f"MLFLOW_TRACKING_URI: found '{shown}'; allowed: {STORES}"


@pytest.mark.parametrize("uri", ["sqlite://", "sqlite:///:memory:"])
def test_a_database_in_memory_would_be_gone_at_once(refusal: Refusal, uri: str) -> None:
    assert refusal(uri) == f"MLFLOW_TRACKING_URI: found '{uri}', a database without a file; allowed: {STORES}"


def test_a_database_without_its_driver(refusal: Refusal) -> None:
    line = refusal("postgresql://me:secret@127.0.0.1:1/db")
    assert line.startswith(
        "postgresql://127.0.0.1:1/db: found a store that cannot be opened: \"No module named 'psycopg"
    )


# ---- servers


def test_a_dead_server_is_told_at_once(refusal: Refusal) -> None:
    begin = time.monotonic()
    assert refusal("http://me:secret@127.0.0.1:1") == (
        f"http://127.0.0.1:1: found nothing that answers; allowed: the address of an MLflow server that runs, {OR_NONE}"
    )
    assert time.monotonic() - begin < 5
    assert refusal("http://127.0.0.1:99999").startswith("http://127.0.0.1:99999: found no address of a server; ")


def test_a_silent_server_is_told_soon(refusal: Refusal, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that takes connections and says nothing, after some seconds or the user's own number of them."""
    assert 0 < int(client.AT_FIRST["MLFLOW_HTTP_REQUEST_TIMEOUT"]) < 10
    assert client.AT_FIRST["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "0"
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    with socket.socket() as silent:
        silent.bind((server.HOST, 0))
        silent.listen()
        uri = f"http://127.0.0.1:{silent.getsockname()[1]}"
        assert refusal(uri) == (
            f"{uri}: found no answer in time; allowed: the address of an MLflow server that runs, {OR_NONE}; "
            "MLFLOW_HTTP_REQUEST_TIMEOUT=60 waits 60 s"
        )


@contextmanager
def answering(status: int, body: bytes, kind: str) -> Iterator[str]:
    """Address of a server on 127.0.0.1 that answers everything so."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer((server.HOST, 0), Handler) as listening:
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{listening.server_port}"
        listening.shutdown()


@pytest.mark.parametrize(
    ("status", "body", "found"),
    [
        (401, "<html>Who are you?", "a server that asks who you are (401); allowed: MLFLOW_TRACKING_USERNAME and "),
        (403, '{"error_code": "PERMISSION_DENIED", "message": "no"}', "a server that refuses you (403); allowed: "),
        (404, "<html>Nothing", "a server that lacks what was asked for (404); allowed: an MLflow server of version 3."),
        (500, "oops", "an error of the server; allowed: see the server's own log, and run the same command again"),
        (200, "<html>A shop", "the answer "),
        (400, '{"error_code": "INVALID_PARAMETER_VALUE", "message": "at http://me:secret@h/ no"}', "the answer "),
    ],
)
def test_an_answer_that_is_no_use(refusal: Refusal, status: int, body: str, found: str) -> None:
    kind = "application/json" if body.startswith("{") else "text/html"
    with answering(status, body.encode(), kind) as address:
        assert refusal(f"http://me:secret@{address}").startswith(f"http://{address}: found {found}")


def test_https_of_a_server_that_has_none(refusal: Refusal) -> None:
    with answering(200, b"", "text/html") as address:
        assert refusal(f"https://{address}").startswith(
            f"https://{address}: found no https, or a certificate that is not trusted; "
            "allowed: MLFLOW_TRACKING_SERVER_CERT_PATH"
        )


# ---- files


def test_a_locked_store(refusal: Refusal, tmp_path: Path, blank: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy_store(blank, tmp_path / "locked.db")
    with closing(sqlite3.connect(tmp_path / "locked.db")) as other:
        other.execute("PRAGMA journal_mode=DELETE")
        other.execute("BEGIN EXCLUSIVE")
        monkeypatch.setattr(sqlite3, "connect", partial(sqlite3.connect, timeout=0.1))
        assert refusal(f"sqlite:///{tmp_path}/locked.db") == (
            f"sqlite:///{tmp_path}/locked.db: found another process that keeps it locked; "
            "allowed: wait for that process, or end it, and run the same command again"
        )


def test_a_store_in_a_place_that_is_none(refusal: Refusal, tmp_path: Path) -> None:
    """A folder of the database's name, and a folder that takes no files (not even of the machine's owner)."""
    (tmp_path / "folder.db").mkdir()
    for place in (tmp_path / "folder.db", Path("/proc/store.db")):
        assert refusal(f"sqlite:///{place}") == (
            f"sqlite:///{place}: found a place that cannot be opened or written; "
            "allowed: a file in a folder that may be read and written"
        )


@contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """No file can grow beyond `size` bytes, as on a disk that is full."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.parametrize("there", [True, False])
def test_a_full_disk(refusal: Refusal, there: bool) -> None:
    """While runs are written, and while the store is made; nothing half-written is left."""
    if not there:
        Paths().mlflow_database.unlink()
    with files_up_to(8192):
        assert refusal() == (
            "mlflow.db: found a full disk, or a limit on the size of files; "
            "allowed: free some space and run the same command again"
        )
    assert not list(Path().rglob("*.tmp"))
    assert Paths().mlflow_database.exists() == there


def test_artifacts_that_cannot_be_written(refusal: Refusal) -> None:
    Paths().mlflow_artifacts.write_text("no folder", encoding="utf-8")
    assert "mlartifacts" in refusal()


# ---- ports


@pytest.mark.parametrize("port", [0, 65_536, 99_999, -1])
def test_a_port_that_is_none(refusal: Refusal, port: int) -> None:
    assert refusal("", "ui", f"--port={port}") == f"--port: found {port}; allowed: whole numbers from 1 to 65535"


def test_no_free_port_at_the_end_of_the_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """The search ends where ports do."""
    with socket.socket() as taken:
        try:
            taken.bind((server.HOST, 65_535))
            taken.listen()
        except OSError:
            pass  # somebody else has it
        with pytest.raises(server.TrackingError) as error:
            server.free_port(65_535)
    assert str(error.value) == "--port: found no free port from 65535 to 65535; allowed: another first port"
