"""Whether a study fits the machine: memory, disk, and more operations than anyone waits for."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import psutil

from shoal.kernels.network.architecture import Architecture
from shoal.pipeline.config import Config, Fault, Sweep
from shoal.pipeline.config.faults import below
from shoal.pipeline.data import Dataset
from shoal.pipeline.hyperparameters import DURATIONS, ENGINE, KEYS, TRAINING
from shoal.pipeline.paths import Paths
from shoal.pipeline.study import plan
from shoal.pipeline.study.plan import Demand, Setting

MOST_OPERATIONS = 10**18


def _default(key: str) -> Any:
    """The value of a hyper-parameter that is not given, None where that is the engine's."""
    default = TRAINING[key].default
    return None if default == ENGINE else default


LEAST: dict[str, Any] = {
    "replicates": 1,
    "depth": (1,),
    "width": (1,),
    "hidden_sizes": ((1,),),
    "architecture": {"least": Architecture.parse("dense 1")},
    **{key: {"all": (1,)} for key in DURATIONS},
    **{key: {"all": (_default(key),)} for key in KEYS if key not in DURATIONS},
}
"""Of each key that a cost grows with, the value with the least to do."""


@dataclass(frozen=True)
class Room:
    """What there is: bytes of `memory`, and bytes of `disk` for results."""

    memory: int
    disk: int

    @classmethod
    def here(cls, paths: Paths) -> Room:
        """This machine; what results hold now counts as free, since it is written anew."""
        results = paths.runs("any").parent.parent
        held = sum(file.stat().st_size for file in results.rglob("*") if file.is_file())
        free = shutil.disk_usage(paths.root).free
        return cls(psutil.virtual_memory().total, free + held)


def faults(config: Config, dataset: Dataset, room: Room) -> Iterator[Fault]:
    """One fault for each sweep that does not fit, or else one for all sweeps together.

    It stands at the key whose least value would lower the cost most. `config` has no other fault.
    """
    machine = f"{plan.size(room.memory)} of memory and {plan.size(room.disk)} of disk"
    allowed = f"what fits {machine}, which this machine has, and {plan.amount(MOST_OPERATIONS)} operations"
    setting = Setting.of(config, dataset)
    costs = plan.costs(config, setting)
    hopeless = [name for name, cost in costs.items() if _excess(cost, room) > 1]
    for name in hopeless:
        place = below(below("sweeps", name), _to_blame(config.sweeps[name], setting, room))
        yield Fault(place, str(costs[name]), allowed)
    total = sum(costs.values(), Demand())
    if not hopeless and _excess(total, room) > 1:
        yield Fault("sweeps", str(total), allowed)


def _excess(cost: Demand, room: Room) -> Fraction:
    """The cost as a multiple of what there is, of what it takes most."""
    needs = ((cost.memory, room.memory), (cost.disk, room.disk), (cost.operations, MOST_OPERATIONS))
    return max(Fraction(need) / max(there, 1) for need, there in needs)


def _to_blame(sweep: Sweep, setting: Setting, room: Room) -> str:
    keys = [key for key in LEAST if getattr(sweep, key) is not None]
    lower = {key: plan.cost(sweep.model_copy(update={key: LEAST[key]}), setting) for key in keys}
    return min(keys, key=lambda key: _excess(lower[key], room))
