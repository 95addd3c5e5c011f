"""A way to train: what every thread runs, and with what."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from shoal.kernels.compile.linked import Linked
from shoal.kernels.training.fleet import Fleet, Job, Members


class Way(NamedTuple):
    """One way to train: what every thread runs, its memory, networks to a job, and what the lanes are."""

    name: str
    entry: Linked
    workspace: Callable[[Fleet], Any]  # of one thread, for the largest network of the fleet
    stride: int
    lanes: str
    arranged: Callable[[Job, Members], np.ndarray | None] | None = (
        None  # see neighbours.py; else they stand as they come
    )
    help: Linked | None = None  # what a thread runs when there is no job left to begin
    in_double: bool = False  # whether it computes in float64 as well, whatever the dtype
    has_steps: bool = True  # between which a job can be left, to go on later
