"""The rule for a first sweep: how the rows are split, and what is trained, by the size of the table."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

from shoal.pipeline.config import Sweep
from shoal.pipeline.data.calibration import rows_needed
from shoal.pipeline.study import plan
from shoal.pipeline.study.plan import Setting

FRACTIONS: dict[int, dict[str, float]] = {
    600: {"train": 0.75, "validation": 0.1, "calibration": 0.05, "test": 0.1},
    300: {"train": 0.8, "validation": 0.1, "test": 0.1},
    0: {"train": 0.6, "validation": 0.2, "test": 0.2},
}
"""Shares from so many rows on: 10 % of fewer than 300 tell next to nothing, and those for intervals are lost."""
FEWEST = 300
"""Rows of which a share is enough to choose on; of fewer, all but those to test are validated on, in folds."""
FEWEST_OF_CLASSES = 10_000
"""The same of classes. The log loss of so few rows is that of one or two that a network is sure of and wrong about: by
a tenth of 500 rows, the networks that are too sure of themselves look best."""
FOLDS = 5
LEAST_ROWS = 4
"""The fewest that leave two to train on, and one for each other part."""
PARTS = {"train": "train", "validation": "validate", "calibration": "calibrate", "test": "test"}
LEVEL = 0.9
"""Of the intervals."""
ANSWERING = 20
"""Networks."""
OPERATIONS = 8e11
"""Of a first sweep, where a rung has so few: less than a minute on two cores."""
OPERATIONS_OF_CLASSES = 4e11
"""The same of classes: gelu takes as long as all else in so narrow a network, which is not counted."""
SPEED = 1.5e10
"""Operations a second and thread of such small networks, by rule of thumb."""
BATCH = 32


class Rung(NamedTuple):
    """Where a sweep takes too long, the next rung is taken."""

    epochs: int
    replicates: int
    width: int = 64


LADDER = [
    Rung(500, 10),
    Rung(300, 10),
    Rung(200, 10),
    Rung(150, 10),
    Rung(100, 10),
    Rung(60, 10),
    Rung(100, 5),
    Rung(50, 5),
    Rung(50, 5, 32),
    Rung(20, 5, 32),
    Rung(10, 3, 32),
    Rung(5, 3, 32),
]
"""With 10 replicates, each of the comparisons between cells could be shown after Holm's correction."""
LONGEST_OF_CLASSES = 100
"""Epochs: where all rows are told apart, further ones make networks surer of the rows that they are wrong about."""


class RowCut(NamedTuple):
    """How the rows of a table are cut: shares of the parts, of folds of what is to test alone; whether the study has
    intervals."""

    fractions: dict[str, float]
    folds: int = 1
    has_interval: bool = False
    classifies: bool = False

    @property
    def splits(self) -> dict[str, Any] | None:
        """The key of params.yaml, which rows cut at random do without."""
        return {"kind": "kfold", "folds": self.folds} if self.folds > 1 else None


class First(NamedTuple):
    """A first sweep as a block of params.yaml; how many networks it trains, in how many operations."""

    block: dict[str, Any]
    networks: int
    operations: float

    def time(self, threads: int) -> str:
        """About how long it takes: 8 s, 40 s, 3 min, 2 h."""
        return plan.duration(max(1.0, self.operations / (SPEED * threads)))


def cuts(n_rows: int, classifies: bool, own: Collection[str] = ()) -> list[RowCut]:
    """Ways to cut the rows, the best first: the last can always be; of classes there are no intervals.

    Parts with a file of their `own` take no share, and more is left to train on.
    """
    fits = (shares for fewest, shares in FRACTIONS.items() if n_rows >= fewest)
    found = next(shares for shares in fits if not (classifies and "calibration" in shares))
    others = {part: share for part, share in found.items() if part != "train" and part not in own}
    shares = {"train": round(1 - sum(others.values()), 2)} | others
    random = RowCut(shares, has_interval="calibration" in others, classifies=classifies)
    if n_rows >= (FEWEST_OF_CLASSES if classifies else FEWEST) or "test" in own:
        return [random]
    tested = found["test"]
    has_interval = not classifies and n_rows - round(tested * n_rows) >= rows_needed(LEVEL)
    return [RowCut({"test": tested}, FOLDS, has_interval, classifies), random]


def first_sweep(setting: Setting, classifies: bool) -> First:
    """The first rung that is short enough, or else the last."""
    most = OPERATIONS_OF_CLASSES if classifies else OPERATIONS
    rungs = [rung for rung in LADDER if rung.epochs <= LONGEST_OF_CLASSES or not classifies]
    found = [_first(rung, setting, classifies) for rung in rungs]
    return next((first for first in found if first.operations <= most), found[-1])


def choose(first: First, cut: RowCut) -> dict[str, int]:
    """The key of params.yaml: of folds, what is best is a network of each.

    Of classes, half of all answer: those with the best log loss alone are not those whose mean has it.
    """
    return {"best": (first.networks // 2 if cut.classifies else ANSWERING) // cut.folds}


def _first(rung: Rung, setting: Setting, classifies: bool) -> First:
    """The sweep of a rung; replicates are networks of each fold.

    Little weight decay is best where targets follow features closely, much where noise does. Of classes, the parameters
    of the last step: the lowest log loss on the way is that of a moment at which one or two rows happened to be right.
    """
    block: dict[str, Any] = {
        "activation": ["relu", "gelu"] if classifies else ["relu", "tanh"],
        "depth": [1, 2] if classifies else [2, 3],
        "width": rung.width,
        "init": "glorot_uniform",
        "optimizer": "adamw",
        "learning_rate": 0.01,
        "weight_decay": [0.3, 1.0] if classifies else [0.01, 0.1, 1.0],
        "batch_size": BATCH if setting.n_samples >= BATCH else "full",
        "epochs": rung.epochs,
        "schedule": "cosine",
        "keep": "last" if classifies else "best",
        "replicates": max(1, rung.replicates // setting.n_folds),
    }
    demand = plan.cost(Sweep.model_validate(block), setting)
    return First(block, demand.networks, float(demand.operations))
