"""The form of params.yaml: frozen, closed, strict models; what each key allows is its field's description."""

from __future__ import annotations

from typing import Any, Literal, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from shoal.kernels.network.architecture import ACTIVATIONS
from shoal.pipeline.config.faults import ConfigError, Fault, refusal
from shoal.pipeline.config.fields import (
    Activation,
    Axis,
    BatchSize,
    ByActivation,
    Columns,
    Count,
    HiddenSizes,
    Name,
    Networks,
    Positive,
    Seed,
)

Separator = Literal[",", ";", "|", " ", "\t"]
Mark = Literal[".", ","]
Group = Literal[".", ",", " ", "'"]
ByActivationKey = Literal["learning_rate", "batch_size", "steps", "epochs", "alpha"]

_COUNTS = "whole numbers of 1 or more"
_POSITIVE = "finite numbers above 0"


def _quoted(kind: Any) -> str:
    return ", ".join(map(repr, get_args(kind)))


class Closed(BaseModel):
    """A model without room for unknown keys, converted values, infinity or change."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Fractions(Closed):
    """Shares of a file's rows."""

    train: Positive = Field(description=_POSITIVE)
    validation: Positive = Field(description=_POSITIVE)
    test: Positive = Field(description=_POSITIVE)

    @model_validator(mode="after")
    def _sum_to_one(self) -> Fractions:
        if abs(self.train + self.validation + self.test - 1) > 1e-9:
            raise refusal("train, validation and test that sum to 1")
        return self


class DataConfig(Closed):
    """Where the samples come from."""

    source: Literal["function", "file"] = Field(description="function, file")
    path: str = Field(min_length=1, description="the path of a CSV or Parquet file")
    targets: Columns = Field(description="a list of column names")
    features: Columns | None = Field(description="null (all columns but the targets), or a list of column names")
    fractions: Fractions = Field(description=f"a mapping with the keys {', '.join(Fractions.model_fields)}")
    split_seed: Seed = Field(description="a whole number from 0 to 4294967295")
    standardise: bool = Field(description="true, false")
    ignore: Columns | None = Field(default=None, description="null, or a list of columns that are no features")
    separator: Separator | None = Field(default=None, description=f"null, {_quoted(Separator)}")
    decimal: Mark | None = Field(default=None, description=f"null, {_quoted(Mark)}")
    thousands: Group | None = Field(default=None, description=f"null, {_quoted(Group)}")
    encoding: str | None = Field(default=None, description="null (UTF-8 or UTF-16), or the name of an encoding")
    header_row: Count | Literal["none"] | None = Field(
        default=None, description="null, none, or the number of the row that has the names of the columns"
    )

    @field_validator("features")
    @classmethod
    def _no_target(cls, features: tuple[str, ...] | None, info: ValidationInfo) -> tuple[str, ...] | None:
        if set(features or ()) & set(info.data.get("targets", ())):
            raise refusal("columns that are not among the targets")
        return features


class Tracking(Closed):
    """What is shown in MLflow."""

    granularity: Literal["cell", "network"] = Field(description="cell, network")


class Sweep(Closed):
    """One block of sweeps; an axis is None where its key is not given.

    The keys that may differ by activation map each activation, or `all`, to their values; see `values`.
    """

    activation: Axis[Activation] | None = Field(default=None, description=", ".join(ACTIVATIONS))
    depth: Axis[Count] | None = Field(default=None, description=_COUNTS)
    width: Axis[Count] | None = Field(default=None, description=_COUNTS)
    hidden_sizes: HiddenSizes | None = Field(
        default=None, description=f"a list of lists of {_COUNTS}, such as [[100, 100], [50]]"
    )
    architecture: Networks | None = Field(
        default=None, description="a mapping of names to networks such as dense 10 > relu"
    )
    optimizer: Literal["gd", "adam", "ridge"] = Field(default="gd", description="gd, adam, ridge")
    learning_rate: ByActivation[Positive] | None = Field(default=None, description=_POSITIVE)
    batch_size: ByActivation[BatchSize] = Field(default={"all": ("full",)}, description=f"{_COUNTS}, or full")
    steps: ByActivation[Count] | None = Field(default=None, description=_COUNTS)
    epochs: ByActivation[Count] | None = Field(default=None, description=_COUNTS)
    alpha: ByActivation[Positive] | None = Field(default=None, description=_POSITIVE)
    init: Literal["assignment", "assignment-stream"] = Field(
        default="assignment", description="assignment, assignment-stream"
    )
    replicates: Count = Field(default=1, description="a whole number of 1 or more")
    _listed: frozenset[str] = PrivateAttr(default=frozenset())

    @property
    def listed(self) -> frozenset[str]:
        """Keys that were given as a list, for all activations or for one."""
        return self._listed

    def values(self, key: ByActivationKey, activation: str | None) -> tuple[Any, ...]:
        """Values of `key` for an activation (None in an architecture sweep); (None,) where the key is not given."""
        mapping = getattr(self, key)
        if mapping is None:
            return (None,)
        return mapping["all"] if "all" in mapping else mapping[activation]  # type: ignore[no-any-return]

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


class Config(Closed):
    """params.yaml as a whole."""

    seed: Seed = Field(description="a whole number from 0 to 4294967295")
    dtype: Literal["float64", "float32"] = Field(description="float64, float32")
    data: DataConfig = Field(description=f"a mapping with the keys {', '.join(DataConfig.model_fields)}")
    tracking: Tracking = Field(description=f"a mapping with the keys {', '.join(Tracking.model_fields)}")
    sweeps: dict[Name, Sweep] = Field(description="at least one block of sweep keys under a name")

    def sweep(self, name: str) -> Sweep:
        """The block of a sweep; raises ConfigError for a name that there is not."""
        if name not in self.sweeps:
            raise ConfigError([Fault("", f"no sweep '{name}'", ", ".join(self.sweeps))])
        return self.sweeps[name]
