"""Gradient checks that have passed, in a file of the store: an architecture is checked once by each engine."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from shoal.pipeline.errors import ShoalError
from shoal.pipeline.store.entries import probes
from shoal.pipeline.store.files import file_hash, read_json, write_sealed_json
from shoal.pipeline.store.whole import before_rename

NAME = "gradcheck.json"
Rows = list[dict[str, Any]]


class Checks:
    """What is known of architectures on these samples, x (n, n_features) and y (n, n_outputs), and `beside` them.

    `check` is the file that has the check itself: after an edit of it, or of the engine, nothing is known.
    """

    def __init__(self, folder: Path, check: Path, x: np.ndarray, y: np.ndarray, beside: str) -> None:
        self._path = folder / NAME
        samples = hashlib.sha256(x.tobytes() + y.tobytes()).hexdigest()
        self._of = f"{samples}, {x.shape}, {beside}"
        self._source = f"{probes.source()}, {file_hash(check)}"
        self._all = self._read()
        self._known: dict[str, Rows] = self._all.setdefault(self._of, {})

    def get(self, architecture: str) -> Rows | None:
        """The rows of an architecture, bit for bit, or None."""
        return self._known.get(architecture)

    def put(self, rows: dict[str, Rows]) -> None:
        """Keep rows by architecture, if that can be done: to check them again costs little."""
        self._known |= rows
        with suppress(OSError), before_rename(lambda *_: None):  # no result of the stage, which a receipt would name
            write_sealed_json(self._path, {"source": self._source, "checks": self._all})

    def _read(self) -> dict[str, dict[str, Rows]]:
        with suppress(OSError, ShoalError):  # not there yet, or damaged
            found = read_json(self._path)
            if isinstance(found, dict) and found.get("source") == self._source:
                return dict(found["checks"])
        return {}
