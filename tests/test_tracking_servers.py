"""Servers on 127.0.0.1: the UI, a tracking server that takes runs, and the chosen network behind HTTP."""

from __future__ import annotations

import http.client
import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pandas as pd
import pytest
import uvicorn

from shoal.pipeline import config
from shoal.pipeline.paths import Paths
from shoal.pipeline.store import write_text
from shoal.pipeline.terminal.predict import Request, predict_file
from shoal.pipeline.tracking import is_tracked, server, track, ui
from tests import studies
from tests.made_up import DIVERGING, SMALL, assert_whole, client_of, copy_store, parent_of, runs_of, write_results

pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:DeprecationWarning")


def test_a_taken_port_is_passed_over() -> None:
    with socket.socket() as taken:
        taken.bind((server.HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert server.free_port(port) > port


def test_a_server_that_does_not_start_is_reported(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = write_results(root, {"sizes": SMALL})
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    with pytest.raises(server.TrackingError, match=r"it ended with status 1; allowed: see .*ui\.log"):
        ui(paths, ["sizes"], 5700)
    assert is_tracked(paths, ["sizes"])


def test_ui_serves_the_store_and_a_server_takes_runs(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The UI tracks what is missing, answers on its port until Ctrl-C; another project's runs arrive through it."""
    paths = write_results(root, {"sizes": DIVERGING})
    code = "import signal, sys; from pathlib import Path; from shoal.pipeline.paths import Paths\n"
    code += "from shoal.pipeline.tracking import ui\n"
    code += "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # tests in the background inherit its absence
    code += "ui(Paths(Path(sys.argv[1])), ['sizes'], 5600)"
    environment = os.environ | {"PYTHONPATH": str(studies.ROOT)}
    command = [sys.executable, "-c", code, str(root)]
    process = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        lines = list(itertools.takewhile(lambda line: not line.startswith("Ctrl-C"), process.stdout))
        url = lines[0].split()[2]
        assert is_tracked(paths, ["sizes"])
        assert lines[1].split()[0] == "sizes" and lines[1].split()[1].startswith(f"{url}/#/experiments/")
        assert url.startswith("http://127.0.0.1:56")

        other = tmp_path / "other"
        other_paths = write_results(other, {"more": DIVERGING})
        monkeypatch.setenv("MLFLOW_TRACKING_URI", url)
        receipt = track(other_paths, ["more"])
        assert is_tracked(other_paths, ["more"]) and track(other_paths, ["more"]) == receipt
        assert not other_paths.mlflow_database.exists()
        (run,) = (run for run in runs_of(other_paths, "more") if run.info.run_name == "relu-d1-w005")
        assert np.isnan(run.data.metrics["test_mse_q3"]) and run.data.metrics["test_mse"] == pytest.approx(1.2)
        figures = client_of(other_paths).list_artifacts(parent_of(other_paths, "more").info.run_id, "figures")
        assert [file.path for file in figures] == ["figures/test_mse.svg"]
        ui(other_paths, ["more"], 5000)
        assert capsys.readouterr().out.startswith(f"MLflow UI: {url}")
    finally:
        process.send_signal(signal.SIGINT)
        try:
            assert process.wait(timeout=20) == 0
        finally:
            process.terminate()
            process.stdout.close()
    with pytest.raises(ConnectionRefusedError):
        http.client.HTTPConnection(url.removeprefix("http://"), timeout=5).connect()


@contextmanager
def served(*store: str) -> Iterator[str]:
    """Address of an MLflow server on a free port of 127.0.0.1, from when it answers until the block ends."""
    port = server.free_port(5800)
    command = (sys.executable, "-m", "mlflow", "server", *store, "--host", server.HOST, "--port", str(port))
    environment = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, start_new_session=True)
    try:
        while process.poll() is None and ask(port, "GET", "/health") != b"OK":
            time.sleep(0.1)
        yield f"http://{server.HOST}:{port}"
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def ask(port: int, method: str, path: str, body: str | None = None) -> bytes | None:
    """The body of an answer, or None where nothing answers yet."""
    connection = http.client.HTTPConnection(server.HOST, port, timeout=60)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"})
        return connection.getresponse().read().strip() or b"OK"
    except ConnectionError:
        return None
    finally:
        connection.close()


def shown(paths: Paths, sweep: str) -> dict[str, Any]:
    """What a store shows of each run, apart from ids and dates."""
    client = client_of(paths)
    own = ("mlflow.parentRunId", "shoal.model")
    return {
        run.data.tags["shoal.key"]: (
            run.info.status,
            run.info.run_name,
            run.data.params,
            run.data.metrics,
            {name: value for name, value in run.data.tags.items() if name not in own},
            {(i.dataset.digest, i.dataset.schema, i.dataset.profile) for i in run.inputs.dataset_inputs},
            [(m.step, m.value) for m in client.get_metric_history(run.info.run_id, "half_mse_q3")],
            sorted(file.path for file in client.list_artifacts(run.info.run_id)),
        )
        for run in runs_of(paths, sweep)
    }


def test_a_tracking_server_and_a_model_server(tmp_path: Path, blank: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server takes the runs that a database takes, files and model by HTTP; the model answers as `shoal predict`."""
    sweeps = {"own": studies.SIZES | {"depth": 1, "width": 3}}
    paths = studies.complete(tmp_path, sweeps, source="file")
    write_text(paths.figures / "own" / "test_mse.svg", "<svg xmlns='http://www.w3.org/2000/svg'/>")
    copy_store(blank, paths.mlflow_database)
    track(paths, ["own"])
    local = shown(paths, "own")
    database, files = tmp_path / "server.db", tmp_path / "files"
    copy_store(blank, database)
    store = ("--backend-store-uri", f"sqlite:///{database}", "--artifacts-destination", str(files), "--workers", "1")
    with served(*store) as url:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", url)
        assert_whole(paths, ["own"], track(paths, ["own"]))
        assert shown(paths, "own") == local
        assert len(local) == 3
        model = parent_of(paths, "own").data.tags["shoal.model"]
        with answering(model) as port:
            assert_answers(paths, port)


@contextmanager
def answering(model: str) -> Iterator[int]:
    """The port of what `mlflow models serve` serves, here in a thread: its processes take 10 s to start."""
    port = server.free_port(5900)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from mlflow.pyfunc import load_model, scoring_server

        app = scoring_server.init(load_model(model))
    serving = uvicorn.Server(uvicorn.Config(app, server.HOST, port, log_level="warning"))
    thread = Thread(target=serving.run)
    thread.start()
    try:
        while thread.is_alive() and ask(port, "GET", "/ping") != b"OK":
            time.sleep(0.05)
        yield port
    finally:
        serving.should_exit = True
        thread.join()


def assert_answers(paths: Paths, port: int) -> None:
    """The server's predictions are those of `shoal predict`, digit by digit, whatever the order of the columns."""
    table = studies.throws().drop(columns=["range_m", "height_m"]).head(7)
    table.to_csv(paths.root / "new.csv", index=False)
    predict_file(paths, config.load(paths), Request(str(paths.root / "new.csv"), paths.root / "out.csv"))
    turned = table[table.columns[::-1]]
    body = json.dumps({"dataframe_split": turned.to_dict(orient="split", index=False)})
    answer = json.loads(ask(port, "POST", "/invocations", body) or b"")
    expected = pd.read_csv(paths.root / "out.csv")[["range_m_predicted", "height_m_predicted"]]
    pd.testing.assert_frame_equal(pd.DataFrame(answer["predictions"]), expected, check_exact=True)
