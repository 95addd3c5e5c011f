"""The optimizers: a file each, which holds its formulas, and their table.

A file has HYPERS, the numbers of its own that it takes beside the learning rate, with their defaults; STATES, how many
numbers it keeps for each parameter, 0 at first; and `update(p, g, state, rate, numbers)`, which returns the parameter
and the state after a step along the gradient g. `numbers(t, h)` are what it needs of step t = 1, 2, ..., computed once
for all parameters, in float64, from the hyper-parameters h. DIRECT says that a step is p += -rate g and no more, so
that a backward pass may add the gradient to the parameters as it comes out; BOUNDED, that no step is much longer than
the rate, however large the gradient is. WEIGHT_DECAY is the decay of networks that
do not say which one (../regularise.py), 0 where a file has none. A running mean of gradients is `flushed`.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

NAMES = ("gd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "adamw")


@dataclass(frozen=True, eq=False)
class Optimizer:
    """One optimizer as kernels use it; see above. `Hypers` is the NamedTuple of its hyper-parameters."""

    name: str
    hypers: Mapping[str, float]
    n_states: int
    update: Callable[..., Any]
    numbers: Callable[..., Any] | None
    is_direct: bool
    is_bounded: bool
    weight_decay: float
    Hypers: Any

    @property
    def n_numbers(self) -> int:
        """How many numbers a step needs."""
        return len(self.numbers(1, self.Hypers(**self.hypers))) if self.numbers else 0


def _read(name: str) -> Optimizer:
    file = vars(import_module(f"{__name__}.{name}"))
    hypers = file["HYPERS"]
    kind = namedtuple(f"HypersOf{name.title()}", list(hypers))  # type: ignore[misc]
    kind.__annotations__ = dict.fromkeys(hypers, "float")
    says = file.get("DIRECT", False), file.get("BOUNDED", False), file.get("WEIGHT_DECAY", 0.0)
    return Optimizer(name, hypers, file["STATES"], file["update"], file.get("numbers"), *says, kind)


OPTIMIZERS = {name: _read(name) for name in NAMES}
"""The table, by name."""
