"""The MLflow UI on 127.0.0.1, over a store that holds every result."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import time

from pipeline import progress, tracking
from pipeline.paths import Paths

HOST = "127.0.0.1"
PORTS = 100
START_SECONDS = 60
QUERY = "#/experiments?workflowType=machine_learning"  # the UI opens in its GenAI mode otherwise


def ui(paths: Paths, sweeps: list[str], port: int) -> None:
    """Track what the store lacks, serve the UI from `port` or the next free one, print its address, end on Ctrl-C.

    With a tracking server in MLFLOW_TRACKING_URI the address is that server's, and nothing is started.
    Raises FileNotFoundError where results are missing, RuntimeError where the server does not start.
    """
    if not tracking.is_tracked(paths, sweeps):
        with progress.bar("track") as advance:
            tracking.track(paths, sweeps, advance)
    uri = tracking.tracking_uri(paths)
    if tracking.is_remote(uri):
        print(f"MLflow UI: {uri.rstrip('/')}/{QUERY}")
        return
    _serve(uri, tracking.artifact_root(paths), free_port(port))


def free_port(first: int) -> int:
    """The first port from `first` on that nothing listens on; raises RuntimeError after PORTS of them."""
    for port in range(first, first + PORTS):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port just closed is free
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return port
    raise RuntimeError(f"no free port from {first} to {first + PORTS - 1}")


def _serve(uri: str, artifact_root: str, port: int) -> None:
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", uri]
    command += ["--default-artifact-root", artifact_root, "--host", HOST, "--port", str(port)]
    command += ["--workers", "1", "--uvicorn-opts", "--log-level warning"]
    environment = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    server = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    try:
        _wait_until_up(server, port)
        print(f"MLflow UI: http://{HOST}:{port}/{QUERY}  (Ctrl-C ends it)", flush=True)
        server.wait()
    except KeyboardInterrupt:
        print()
    finally:
        server.terminate()
        server.wait()


def _wait_until_up(server: subprocess.Popen[bytes], port: int) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if server.poll() is not None:
            raise RuntimeError(f"the MLflow server ended with status {server.returncode} before it was up")
        if _is_up(port):
            return
        time.sleep(0.1)
    raise RuntimeError(f"the MLflow server did not answer on port {port} within {START_SECONDS} s")


def _is_up(port: int) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=5)  # asks the port itself, whatever proxies are set
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
