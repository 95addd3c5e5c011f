"""The losses: a file each, which holds its formulas, and their table.

A file has `cost(r)`, of one output of one sample, and `slope(r)`, its derivative by y_hat, with r = y_hat - y, both 0
where r is 0: what fills up a vector counts nothing. HYPERS are numbers of its own, with their defaults, which the two
take behind r, and RANGES the open intervals that these are from. A file that is JOINT has a loss of all outputs of a
sample together; see cross_entropy.py. `link(y_hat)` makes predictions of outputs, where they are not the outputs.
`check(y)` raises ValueError for targets that the loss is not defined for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

NAMES = ("squared", "absolute", "huber", "quantile", "cross_entropy")


@dataclass(frozen=True, eq=False)
class Loss:
    """One loss as kernels use it; see above."""

    name: str
    hypers: Mapping[str, float]
    ranges: Mapping[str, tuple[float, float]]
    cost: Callable[..., Any]
    slope: Callable[..., Any]
    is_joint: bool
    link: Callable[[np.ndarray], np.ndarray]
    check: Callable[[np.ndarray], None]

    def hypers_of(self, given: tuple[tuple[str, float], ...]) -> tuple[float, ...]:
        """Its numbers in their order, those given or their defaults; raises ValueError for others."""
        if unknown := [name for name, _ in given if name not in self.hypers]:
            allowed = ", ".join(self.hypers) or "no numbers"
            raise ValueError(f"loss {self.name} has no {', '.join(unknown)}; allowed: {allowed}")
        numbers = dict(self.hypers) | dict(given)
        for name, value in numbers.items():
            low, high = self.ranges[name]
            if not low < value < high:
                raise ValueError(f"{name} {value} of loss {self.name} is not between {low:g} and {high:g}")
        return tuple(numbers.values())


def _read(name: str) -> Loss:
    file = vars(import_module(f"{__name__}.{name}"))
    return Loss(
        name,
        file.get("HYPERS", {}),
        file.get("RANGES", {}),
        file["cost"],
        file["slope"],
        file.get("JOINT", False),
        file.get("link", lambda y_hat: y_hat),
        file.get("check", lambda y: None),
    )


LOSSES = {name: _read(name) for name in NAMES}
"""The table, by name."""


def loss_of(name: str) -> Loss:
    """The loss of that name; raises ValueError, which names those there are, for another name."""
    if name not in LOSSES:
        raise ValueError(f"unknown loss '{name}'; allowed: {', '.join(LOSSES)}")
    return LOSSES[name]
