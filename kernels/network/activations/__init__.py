"""The activations: a file each, which holds its formulas, and their table.

The first line of a file says both formulas, for readers of the report too. It has `value(z)`, or `begin(z)` and
`finish(...)` where the second half is better done while the next vector is begun (a division); `slope(a)`, the
derivative sigma'(z) as a function of the activation a = sigma(z) alone, so that z need not be kept, or `slope(a, z)`,
for which it is; and `through(da, a)` where da sigma'(z) is no plain product. (One that rises everywhere does not need
z.) FUSED names those of `value` and `slope` that are taken while a matrix product is still in the registers. They are
compiled for each size of register tile, whether a network uses them or not, and should be a few instructions.

Errors that a file states are those of the value as a function of z, and of the slope as a function of what it is given,
which may be the rounded activation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from inspect import signature
from typing import Any

from shoal.kernels.network import architecture

NAMES = architecture.ACTIVATIONS
LINEAR = 0
"""Codes are positions in NAMES; this one does nothing."""


@dataclass(frozen=True)
class ActivationFormula:
    """One activation as kernels use it: sigma(z) = finish(begin(z)), sigma'(z) = slope(a), through = da sigma'(z).

    Where the slope `needs_z`, both have it as a further argument.
    """

    begin: Callable[[Any], Any]
    finish: Callable[[Any], Any] | None
    slope: Callable[..., Any]
    through: Callable[..., Any]
    needs_z: bool
    fused: frozenset[str]
    formula: str

    def value(self, z: Any) -> Any:
        """sigma(z)."""
        return self.finish(self.begin(z)) if self.finish else self.begin(z)


def _read(name: str) -> ActivationFormula:
    module = import_module(f"{__name__}.{name}")
    file, slope = vars(module), module.slope
    return ActivationFormula(
        begin=file["begin"] if "finish" in file else file["value"],
        finish=file.get("finish"),
        slope=slope,
        through=file.get("through") or (lambda da, *a_and_z: da * slope(*a_and_z)),
        needs_z=len(signature(slope).parameters) == 2,
        fused=frozenset(file.get("FUSED", ())),
        formula=str(module.__doc__).partition("\n")[0],
    )


ACTIVATIONS = tuple(map(_read, NAMES))
"""The table, by code."""
VALUE_ENDS = {-code: each.value for code, each in enumerate(ACTIVATIONS) if "value" in each.fused}
SLOPE_ENDS = {code: each.through for code, each in enumerate(ACTIVATIONS) if "slope" in each.fused}
"""What is done with the sums of a product before they leave the registers: sigma(sum), or sum times sigma' from a."""


def code_of(name: str) -> int:
    """The code of an activation; raises ValueError, which names those there are, for another name."""
    if name not in NAMES:
        raise ValueError(f"unknown activation '{name}'; allowed: {', '.join(NAMES)}")
    return NAMES.index(name)
