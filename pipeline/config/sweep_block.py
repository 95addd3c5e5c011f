"""A block below `sweeps` of params.yaml: lists that networks are made of, most from the table of hyper-parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field, ModelWrapValidatorHandler, PrivateAttr, create_model, field_validator, model_validator

from shoal.kernels.network.architecture import ACTIVATIONS
from shoal.kernels.network.laws import BIASES, INITIALISERS
from shoal.pipeline.config.closed import Closed
from shoal.pipeline.config.fields import (
    COUNTS,
    KINDS,
    Activation,
    Axis,
    Bias,
    Count,
    HiddenSizes,
    Initialiser,
    MethodName,
    Networks,
    Positive,
)
from shoal.pipeline.hyperparameters import DURATIONS, ENGINE, KEYS, METHODS, TRAINING


class _Shape(Closed):
    """The keys of a sweep that come before those of the table of hyper-parameters."""

    activation: Axis[Activation] | None = Field(default=None, description=", ".join(ACTIVATIONS))
    depth: Axis[Count] | None = Field(default=None, description=COUNTS)
    width: Axis[Count] | None = Field(default=None, description=COUNTS)
    hidden_sizes: HiddenSizes | None = Field(
        default=None, description=f"a list of lists of {COUNTS}, such as [[100, 100], [50]]"
    )
    architecture: Networks | None = Field(
        default=None, description="a mapping of names to networks such as dense 10 > relu"
    )
    optimizer: MethodName = Field(default="gd", description=", ".join(METHODS))


def _field(key: str) -> Any:
    """Type and field of a key that may differ by activation."""
    row = TRAINING[key]
    kind = KINDS[row.values]
    default = None if row.default in (None, ENGINE) else {"all": (row.default,)}
    return kind.by_activation | None, Field(default=default, description=kind.allowed)


if TYPE_CHECKING:
    _Trained = _Shape  # fields made from a table are unknown to a type checker
else:
    _Trained = create_model("_Trained", __base__=_Shape, **{key: _field(key) for key in KEYS})


class Sweep(_Trained):
    """One block of sweeps; an axis is None where its key is not given.

    The keys of the table of hyper-parameters map each activation, or `all`, to their values; see `values`.
    """

    init: Initialiser = Field(default="assignment", description=", ".join(INITIALISERS))
    bias: Bias | None = Field(default=None, description=", ".join(BIASES))
    omega_0: Positive | None = Field(default=None, description="a finite number above 0")
    replicates: Count = Field(default=1, description="a whole number of 1 or more")
    _listed: frozenset[str] = PrivateAttr(default=frozenset())

    @property
    def listed(self) -> frozenset[str]:
        """Keys that were given as a list, for all activations or for one."""
        return self._listed

    @property
    def duration(self) -> str:
        """The key of DURATIONS that says how long the networks are trained."""
        return next((key for key in DURATIONS if self.by_activation(key)), "steps")

    @property
    def hyperparameters(self) -> tuple[str, ...]:
        """The hyper-parameters of the sweep's method, of DURATIONS the one that counts."""
        unused = {*DURATIONS} - {self.duration}
        return tuple(key for key in METHODS[self.optimizer].keys if key not in unused)

    def by_activation(self, key: str) -> dict[str, tuple[Any, ...]]:
        """Values of a hyper-parameter by activation, or for `all`; empty where it is not given."""
        return getattr(self, key) or {}

    def levels(self, key: str) -> tuple[Any, ...]:
        """All values of a hyper-parameter, whatever the activation."""
        return tuple(dict.fromkeys(value for values in self.by_activation(key).values() for value in values))

    def values(self, key: str, activation: str | None) -> tuple[Any, ...]:
        """Values of `key` for an activation (None in an architecture sweep); (None,) where the key is not given."""
        mapping = self.by_activation(key) or {"all": (None,)}
        return mapping["all"] if "all" in mapping else mapping[str(activation)]

    @field_validator("*", mode="before")
    @classmethod
    def _not_null(cls, raw: Any) -> Any:
        if raw is None:
            raise ValueError("a key without a value")
        return raw

    @model_validator(mode="wrap")
    @classmethod
    def _remember_lists(cls, raw: Any, validate: ModelWrapValidatorHandler[Sweep]) -> Sweep:
        sweep = validate(raw)
        if isinstance(raw, dict):
            sweep._listed = frozenset(key for key, value in raw.items() if _holds_list(value))
        return sweep


def _holds_list(value: object) -> bool:
    inner = value.values() if isinstance(value, dict) else (value,)
    return any(isinstance(part, list | tuple) for part in inner)
