"""FCNet's networks on Parkinson's telemonitoring: Klein and Hutter, "Tabular benchmarks for joint architecture and
hyperparameter optimization", arXiv 1905.04970, without dropout and without layers of 128 units and more.

Two hidden layers, Adam for 100 epochs, a rate that is constant or falls with the epoch as half a cosine, Glorot's
uniform weights and biases of 0, on 60 % of the rows; the error is that of the next 20 %. Inputs and target are
standardised on the 60 %.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np

from shoal.kernels.ensemble import NetworkSpec, Samples, predict, train_on
from shoal.kernels.network.architecture import Architecture
from shoal.kernels.training.run import Progress

ACTIVATIONS, UNITS, BATCH_SIZES = ("relu", "tanh"), (16, 32, 64), (8, 16, 32, 64)
RATES, SCHEDULES = (5e-4, 1e-3, 5e-3, 1e-2, 5e-2, 1e-1), ("const", "cosine")
EPOCHS, SEEDS = 100, 4
EPSILON = 1e-7
ROOT_SEED = 1905
N_FEATURES, N_ROWS = 20, 5875


class Configuration(NamedTuple):
    """A row of the published table but for its seed, by the names of its columns."""

    activation_fn_1: str
    activation_fn_2: str
    batch_size: int
    init_lr: float
    lr_schedule: str
    n_units_1: int
    n_units_2: int

    def __str__(self) -> str:
        layers = f"{self.n_units_1} {self.activation_fn_1}, {self.n_units_2} {self.activation_fn_2}"
        return f"{layers}, batch {self.batch_size}, {self.init_lr:g} {self.lr_schedule}"

    def spec(self, seed: int, n_samples: int, epochs: int) -> NetworkSpec:
        """The network of one seed."""
        layers = f"dense {self.n_units_1} > {self.activation_fn_1} > dense {self.n_units_2} > {self.activation_fn_2}"
        return NetworkSpec(
            Architecture.parse(f"{layers} > dense 1"), "glorot_uniform", seed, "adam", self.init_lr, self.batch_size,
            epochs * -(-n_samples // self.batch_size), hypers=(("epsilon", EPSILON),),
            schedule={"const": "constant"}.get(self.lr_schedule, self.lr_schedule),
        )  # fmt: skip

    @property
    def rates(self) -> list[Configuration]:
        """Those that differ from it in the initial rate alone, itself included."""
        return [self._replace(init_lr=rate) for rate in RATES]


def configurations() -> list[Configuration]:
    """All 1,728."""
    columns = ACTIVATIONS, ACTIVATIONS, BATCH_SIZES, RATES, SCHEDULES, UNITS, UNITS
    return [Configuration(*values) for values in product(*columns)]


def some(per_batch_size: int = 6) -> list[Configuration]:
    """As many of each batch size, drawn with seed 0."""
    generator, chosen = np.random.default_rng(0), []
    for size in BATCH_SIZES:
        own = [one for one in configurations() if one.batch_size == size]
        chosen += [own[i] for i in sorted(generator.choice(len(own), per_batch_size, replace=False))]
    return chosen


class Split(NamedTuple):
    """Samples to train on, and to validate on."""

    train: Samples
    validation: Samples


def splits(path: Path, n_splits: int = SEEDS) -> list[Split]:
    """Random splits of the table at `path`: CSV, perhaps compressed, no header, the target last."""
    rows = np.loadtxt(path, delimiter=",", ndmin=2)
    if rows.shape[1] != N_FEATURES + 1:
        raise SystemExit(f"{path} has {rows.shape[1]} columns; it needs {N_FEATURES} inputs and the target behind them")
    return [_split(rows, np.random.default_rng([ROOT_SEED, number])) for number in range(n_splits)]


def _split(rows: np.ndarray, generator: np.random.Generator) -> Split:
    n = len(rows)
    parts = np.split(rows[generator.permutation(n)], [n * 6 // 10, n * 8 // 10])[:2]
    mean, deviation = parts[0].mean(axis=0), parts[0].std(axis=0)
    return Split(*[Samples(part[:, :-1], part[:, -1:]) for part in ((part - mean) / deviation for part in parts)])


def train(
    wanted: Sequence[Configuration],
    of: Sequence[Split],
    epochs: int = EPOCHS,
    n_threads: int | None = None,
    progress: Progress | None = None,
) -> np.ndarray:
    """By the engine, in float32: validation errors (configurations, SEEDS), infinite where a network diverged.

    Seed s is trained on split s, and begins with the first again where there are fewer.
    """
    datasets = [split.train for split in of]
    specs = [one.spec(seed, len(datasets[0].x), epochs) for one in wanted for seed in range(SEEDS)]
    which = [seed % len(of) for _ in wanted for seed in range(SEEDS)]
    runs = train_on(
        specs, datasets, which, seed=ROOT_SEED, dtype="float32", n_threads=n_threads, progress=progress
    )  # fmt: skip
    errors = np.full(len(specs), np.inf)
    for i, (spec, run) in enumerate(zip(specs, runs, strict=True)):
        if run.diverged_step is None:
            x, y = of[which[i]].validation.x, of[which[i]].validation.y
            errors[i] = np.mean((predict(spec.architecture, run.params, x) - y) ** 2)
    return errors.reshape(len(wanted), SEEDS)
