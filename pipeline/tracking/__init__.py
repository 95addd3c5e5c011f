"""MLflow as a view of the result files: an experiment a sweep, a run a sweep state, a nested run a cell."""

from pipeline.tracking.runs import is_tracked, track
from pipeline.tracking.server import ui

__all__ = ["is_tracked", "track", "ui"]
