"""Training methods: a file each, which says what a specification needs for it, and which way its networks go.

A file has NEEDS, the keys of a specification that it needs; LOSSES, those that it can minimise, if not all;
`hypers_of(spec)`, the numbers of its own; `way_of(job)`, a function of the network and the data alone, as bits depend
on it; and `recorded_steps(steps, batch_size)`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from shoal.kernels.training.fleet import Job
from shoal.kernels.training.methods import descent, ridge
from shoal.kernels.training.one_by_one import ONE_BY_ONE
from shoal.kernels.training.optimizers import OPTIMIZERS
from shoal.kernels.training.side_by_side import SIDE_BY_SIDE
from shoal.kernels.training.way import Way


@dataclass(frozen=True, eq=False)
class Method:
    """How a network is trained: see above. `hypers` are the numbers of its own that it takes, with their defaults.

    `weight_decay` is that of networks that do not say which; None says that the method makes no steps along a gradient.
    """

    needs: tuple[str, ...]
    losses: tuple[str, ...]
    hypers: Mapping[str, float]
    weight_decay: float | None
    hypers_of: Callable[[Any], tuple[float, ...]]
    way_of: Callable[[Job], Way]
    recorded_steps: Callable[[int, int | None], np.ndarray]


def _method(file: ModuleType, hypers: Mapping[str, float], weight_decay: float | None) -> Method:
    losses = getattr(file, "LOSSES", ())
    return Method(file.NEEDS, losses, hypers, weight_decay, file.hypers_of, file.way_of, file.recorded_steps)


METHODS = {name: _method(descent, own.hypers, own.weight_decay) for name, own in OPTIMIZERS.items()}
METHODS |= {"ridge": _method(ridge, {}, None)}
"""By the name that specifications have for it: an optimizer of descent, or another method."""
WAYS = (SIDE_BY_SIDE, ridge.READOUT, ONE_BY_ONE)
"""In the order in which a thread goes through them: the last can use its help when there is nothing left to begin."""
