"""The MLflow UI on 127.0.0.1, over a store that holds every result."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from shoal.pipeline.paths import Paths
from shoal.pipeline.tracking import destination, runs, view
from shoal.pipeline.tracking.faults import TrackingError
from shoal.pipeline.tracking.state import Granularity

HOST = "127.0.0.1"
PORTS = 100
LAST_PORT = 65_535
START_SECONDS = 60


def ui(paths: Paths, sweeps: list[str], port: int, granularity: Granularity = "cell", study: str | None = None) -> None:
    """Track what the store lacks, serve the UI from `port` or the next free one, print its address, end on Ctrl-C.

    With a tracking server in MLFLOW_TRACKING_URI the address is that server's, and nothing is started.
    Raises FileNotFoundError where results are missing, TrackingError where the store is out of reach or the server
    does not start.
    """
    if not 1 <= port <= LAST_PORT:
        raise TrackingError("--port", str(port), f"whole numbers from 1 to {LAST_PORT}")
    runs.send(paths, sweeps, granularity, study)
    ids = runs.experiment_ids(paths, sweeps, study)
    uri = destination.tracking_uri(paths)
    if destination.is_remote(uri):
        print(_welcome(destination.place(paths), ids))
    else:
        _serve(paths, uri, free_port(port), ids)


def _welcome(url: str, ids: dict[str, str]) -> str:
    """Addresses; those of the sweeps open their table, that of the UI opens its GenAI mode the first time."""
    length = max(len(sweep) for sweep in ids)
    lines = [f"  {sweep:{length}}  {url}/{view.address(experiment)}" for sweep, experiment in ids.items()]
    return "\n".join([f"MLflow UI: {url}  (choose 'Model training' at the top left)", *lines])


def free_port(first: int) -> int:
    """The first port from `first` on that nothing listens on; raises TrackingError after PORTS of them."""
    ports = range(first, min(first + PORTS, LAST_PORT + 1))
    for port in ports:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port just closed is free
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return port
    raise TrackingError("--port", f"no free port from {first} to {ports[-1]}", "another first port")


def _serve(paths: Paths, uri: str, port: int, ids: dict[str, str]) -> None:
    command = [sys.executable, "-m", "mlflow", "server", "--host", HOST, "--port", str(port), "--workers", "1"]
    command += ["--default-artifact-root", destination.artifact_root(paths), "--uvicorn-opts", "--log-level warning"]
    secret = {"MLFLOW_BACKEND_STORE_URI": uri}  # other users see the words of a command, and an address has passwords
    environment = os.environ | secret | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    log = paths.logs / "ui.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as output:
        server = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # the server ends with us, however we are told to end
    try:
        _wait_until_up(server, port, log)
        print(f"{_welcome(f'http://{HOST}:{port}', ids)}\nCtrl-C ends it.", flush=True)
        server.wait()
    except KeyboardInterrupt:
        print()
    finally:
        server.terminate()
        server.wait()


def _wait_until_up(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if server.poll() is not None:
            raise TrackingError("mlflow server", f"that it ended with status {server.returncode}", f"see {log}")
        if _is_up(port):
            return
        time.sleep(0.1)
    raise TrackingError("mlflow server", f"no answer on port {port} within {START_SECONDS} s", f"see {log}")


def _is_up(port: int) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=5)  # asks the port itself, whatever proxies are set
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
