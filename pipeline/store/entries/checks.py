"""Gradient checks that have passed, in a file of the store: an architecture is checked once by each engine."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from shoal.pipeline.store.entries import probes
from shoal.pipeline.store.entries.kept import Kept
from shoal.pipeline.store.files import file_hash

NAME = "gradcheck.json"
Rows = list[dict[str, Any]]


class Checks:
    """What is known of architectures on these samples, x (n, n_features) and y (n, n_outputs), and `beside` them.

    `check` is the file that has the check itself: after an edit of it, or of the engine, nothing is known.
    """

    def __init__(self, folder: Path, check: Path, x: np.ndarray, y: np.ndarray, beside: str) -> None:
        samples = hashlib.sha256(x.tobytes() + y.tobytes()).hexdigest()
        self._kept = Kept(folder / NAME, f"{probes.source()}, {file_hash(check)}")
        self._all: dict[str, dict[str, Rows]] = self._kept.read()
        self._known = self._all.setdefault(f"{samples}, {x.shape}, {beside}", {})

    def get(self, architecture: str) -> Rows | None:
        """The rows of an architecture, bit for bit, or None."""
        return self._known.get(architecture)

    def put(self, rows: dict[str, Rows]) -> None:
        """Keep rows by architecture, if that can be done: to check them again costs little."""
        self._known |= rows
        self._kept.write(self._all)
