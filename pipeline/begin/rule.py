"""The rule for a first sweep: how the rows are split, and what is trained, by the size of the table."""

from __future__ import annotations

from typing import Any, NamedTuple

from shoal.pipeline.config import Sweep
from shoal.pipeline.study import plan
from shoal.pipeline.study.plan import Setting

FRACTIONS = {300: (0.8, 0.1, 0.1), 0: (0.6, 0.2, 0.2)}
"""Shares of training, validation and test from so many rows on: 10 % of fewer than 300 tell next to nothing."""
OPERATIONS = 2e11
"""Of a first sweep, where a rung has so few: about 40 s on two cores."""
SPEED = 2.5e9
"""Operations a second and thread of such small networks, by rule of thumb."""
BATCH = 32


class Rung(NamedTuple):
    """Where a sweep takes too long, the next rung is taken.

    Networks that differ in epochs alone are trained once, to the longest: how long to train is asked for nothing.
    """

    epochs: tuple[int, ...]
    replicates: int
    width: tuple[int, ...] = (32, 64)


LADDER = [
    Rung((10, 30, 100, 300), 12),
    Rung((10, 30, 100), 12),
    Rung((10, 30, 100), 12, (32,)),
    Rung((3, 10, 30), 12, (32,)),
    Rung((3, 10, 30), 5, (32,)),
    Rung((3, 10), 3, (32,)),
]
"""With 12 replicates, each of the comparisons between cells could be shown after Holm's correction."""


class First(NamedTuple):
    """A first sweep as a block of params.yaml; how many networks it trains, in how many operations."""

    block: dict[str, Any]
    trainings: int
    operations: float

    def time(self, threads: int) -> str:
        """About how long it takes: 8 s, 40 s, 3 min, 2 h."""
        seconds = self.operations / (SPEED * threads)
        for size, unit in ((3600, "h"), (60, "min")):
            if seconds >= 2 * size:
                return f"{round(seconds / size)} {unit}"
        return f"{max(1, round(seconds, -1 if seconds >= 20 else 0)):.0f} s"


def fractions(n_rows: int) -> dict[str, float]:
    """Shares of the rows."""
    shares = next(shares for fewest, shares in FRACTIONS.items() if n_rows >= fewest)
    return dict(zip(("train", "validation", "test"), shares, strict=True))


def first_sweep(setting: Setting) -> First:
    """The first rung that is short enough, or else the last."""
    found = [_first(rung, setting) for rung in LADDER]
    return next((first for first in found if first.operations <= OPERATIONS), found[-1])


def _first(rung: Rung, setting: Setting) -> First:
    block: dict[str, Any] = {
        "activation": ["relu", "tanh"],
        "depth": 2,
        "width": list(rung.width),
        "optimizer": "adam",
        "learning_rate": [0.003, 0.01],
        "batch_size": BATCH if setting.n_samples >= BATCH else "full",
        "epochs": list(rung.epochs),
        "replicates": rung.replicates,
    }
    demand = plan.cost(Sweep.model_validate(block), setting)
    return First(block, demand.networks // len(rung.epochs), float(demand.operations))
