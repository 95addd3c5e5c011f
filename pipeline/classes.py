"""The classes of a target: their labels, the places that these have among the outputs of networks, and back.

It travels with every network that leaves the project (see tracking/model.py), so it imports nothing of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

Label = str | int | bool
"""What a cell of the target holds; those of one target are of one kind."""


@dataclass(frozen=True)
class Classes:
    """Labels in the order of the outputs; see NUMBERS."""

    labels: tuple[Label, ...] = ()

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def kind(self) -> type:
        """str, int or bool."""
        return type(self.labels[0])

    @property
    def names(self) -> list[str]:
        """The labels as text, in the names of columns and in tables."""
        return [str(label).lower() if self.kind is bool else str(label) for label in self.labels]

    def one_hot(self, cells: Iterable[object]) -> np.ndarray:
        """1 at the place of each cell's label, else 0, float64 (n, n_classes); NaN where a cell is none of them."""
        place = {label: k for k, label in enumerate(self.labels)}
        places = np.array([place.get(cell, -1) for cell in cells], np.int64)  # type: ignore[call-overload]
        return np.where((places < 0)[:, np.newaxis], np.nan, np.eye(len(self))[places])

    def likeliest(self, probabilities: np.ndarray) -> np.ndarray:
        """Labels (n,), objects, of the largest of probabilities (n, n_classes), the first of equals; None of NaN."""
        known = np.isfinite(probabilities).all(axis=1)
        places = np.where(known, probabilities.argmax(axis=1), -1)
        return np.array([*self.labels, None], dtype=object)[places]


NUMBERS = Classes()
"""What targets have that are numbers."""
