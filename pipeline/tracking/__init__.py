"""MLflow as a view of the result files: an experiment a sweep, a run a sweep state, a nested run a cell."""

import os

# Read by MLflow when it is imported, and inherited by the servers started from here.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")

from shoal.pipeline.tracking.runs import is_tracked, send, track
from shoal.pipeline.tracking.server import ui

__all__ = ["is_tracked", "send", "track", "ui"]
