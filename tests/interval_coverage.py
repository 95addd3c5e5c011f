"""How often prediction intervals hold new values, with choice among 20 cells and early stopping: `make coverage`.

A short run is a test. Each table is of a law of its own, and is used twice: its rows are trained on, validated on and
calibrated on, and split-conformal intervals follow; or they are cut into folds, and CV+ follows. The networks of all
tables are trained in one call. What answers is chosen as in a study, by the rows that stop networks.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

import numpy as np
import pandas as pd

from shoal.kernels.ensemble import predict, train_on
from shoal.kernels.network.architecture import Architecture
from shoal.kernels.results import Trained
from shoal.kernels.spec import NetworkSpec
from shoal.kernels.training.data import Samples
from shoal.pipeline.config import Choose
from shoal.pipeline.cv_plus import OutOfFold
from shoal.pipeline.statistics import conformal, ensembles
from shoal.pipeline.store import FOLD, HELD_OUT, N_FOLDS

SEED, LEVEL = 9001, 0.9
LOWEST, HIGHEST = LEVEL - 0.02, LEVEL + 0.03
N_ROWS, N_NEW, N_FEATURES = 120, 200, 3
TRAIN, VALIDATION = 60, 20
"""Of the rows; all others are calibrated on."""
FOLDS = 5
CHOICES: dict[str, Choose] = {"the best network": "network", "the best 4": {"best": 4}}
CELLS = [
    NetworkSpec(
        Architecture.parse(f"dense {width} > {activation} > dense 1"),
        "glorot_uniform",
        0,
        optimizer="adam",
        learning_rate=rate,
        steps=200,
        patience=5,
    )
    for activation, width, rate in product(("relu", "tanh"), (4, 12), (0.003, 0.01, 0.03, 0.06, 0.1))
]


class Rows(NamedTuple):
    """x (n, N_FEATURES) and y (n, 1)."""

    x: np.ndarray
    y: np.ndarray

    def at(self, places: np.ndarray) -> Rows:
        return Rows(self.x[places], self.y[places])


def rows_of(table: int) -> Rows:
    """N_ROWS rows to make intervals of, and N_NEW new ones: curved in one feature, noisier where it is large."""
    rng = np.random.default_rng([SEED, table])
    x, slopes = rng.normal(size=(N_ROWS + N_NEW, N_FEATURES)), rng.normal(size=N_FEATURES)
    noise = rng.normal(size=len(x)) * (0.3 + 0.2 * np.abs(x[:, 0]))
    return Rows(x, (np.sin(2 * x[:, 0]) + 0.5 * x @ slopes + noise)[:, np.newaxis])


def trained(parts: Sequence[tuple[Rows, Rows]]) -> Iterator[list[Trained]]:
    """The networks of all cells, for each of these rows to train on and to validate on."""
    datasets = [Samples(*rows, validation=Samples(*validation)) for rows, validation in parts]
    specs, of = zip(*product(CELLS, range(len(parts))), strict=True)
    found = train_on(specs, datasets, of, seed=SEED)
    yield from (found[k :: len(parts)] for k in range(len(parts)))


def table_of(networks: Sequence[Sequence[Trained]]) -> pd.DataFrame:
    """A table of these networks as a study has it, of each cell one for each fold; `place` is where they are."""
    rows = [
        {
            "sweep": "s",
            "cell": str(cell),
            "replicate": fold,
            "network_id": f"{cell:02}-{fold}",
            "status": one.status,
            "error": "mse",
            "validation_error": 2 * float(np.min(one.validation_costs)),
            **({FOLD: fold, N_FOLDS: len(networks), HELD_OUT: 1 / (len(networks) - 1)} if len(networks) > 1 else {}),
        }
        for fold, own in enumerate(networks)
        for cell, one in enumerate(own)
    ]
    return pd.DataFrame(rows)


def chosen(choose: Choose, networks: Sequence[Sequence[Trained]]) -> list[list[tuple[int, Trained]]]:
    """Cells and networks that answer, of each fold."""
    members = ensembles.members(choose, table_of(networks), lambda rows: 0.0)
    kept = [(int(row["replicate"]), int(row["cell"])) for _, row in members.iterrows()]
    return [[(cell, own[cell]) for fold, cell in kept if fold == k] for k, own in enumerate(networks)]


def mean(networks: Sequence[tuple[int, Trained]], x: np.ndarray) -> np.ndarray:
    """The mean of what they predict, (n, 1)."""
    return np.mean([predict(CELLS[cell].architecture, one.params, x) for cell, one in networks], axis=0)


@dataclass(frozen=True)
class Coverage:
    """The mean over tables, and its standard error."""

    mean: float
    error: float

    @classmethod
    def of(cls, shares: Sequence[float]) -> Coverage:
        return cls(float(np.mean(shares)), float(np.std(shares, ddof=1) / np.sqrt(len(shares))))


def coverages(n_tables: int) -> dict[str, Coverage]:
    """The coverage of both kinds of intervals, by what answers."""
    tables = [rows_of(table) for table in range(n_tables)]
    new = np.arange(N_ROWS, N_ROWS + N_NEW)
    train, validation, calibration = np.split(np.arange(N_ROWS), [TRAIN, TRAIN + VALIDATION])
    folds = np.arange(N_ROWS) % FOLDS
    split = trained([(rows.at(train), rows.at(validation)) for rows in tables])
    cut = [
        (rows.at(np.flatnonzero(folds != k)), rows.at(np.flatnonzero(folds == k)))
        for rows in tables
        for k in range(FOLDS)
    ]
    found: dict[str, list[float]] = {}
    in_folds = trained(cut)
    for rows, networks in zip(tables, split, strict=True):
        held_out = [next(in_folds) for _ in range(FOLDS)]
        x, y = rows.at(new)
        for name, choose in CHOICES.items():
            [answer] = chosen(choose, [networks])
            kept = rows.at(calibration)
            half = conformal.half_widths(kept.y - mean(answer, kept.x), LEVEL)
            inside = np.abs(y - mean(answer, x)) <= half
            found.setdefault(f"split-conformal, {name}", []).append(float(inside.mean()))
            answers, residuals = chosen(choose, held_out), np.empty((N_ROWS, 1))
            for k, answer in enumerate(answers):
                own = rows.at(np.flatnonzero(folds == k))
                residuals[folds == k] = np.abs(own.y - mean(answer, own.x))
            plus = OutOfFold(residuals, folds[:, np.newaxis], LEVEL)
            low, high = plus.ends(np.array([mean(answer, x) for answer in answers]))
            found.setdefault(f"CV+, {name}", []).append(float(((low <= y) & (y <= high)).mean()))
    return {name: Coverage.of(shares) for name, shares in found.items()}


def main(n_tables: int) -> None:
    """Print the coverages; exit status 1 where one is out of range."""
    found = coverages(n_tables)
    for name, one in found.items():
        print(f"{name:36s} {one.mean:.1%} of new values (standard error {one.error:.1%}), nominal {LEVEL:.0%}")
    sys.exit(not all(LOWEST <= one.mean <= HIGHEST for one in found.values()))


if __name__ == "__main__":
    main(500)
