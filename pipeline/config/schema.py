"""The form of params.yaml: frozen, closed, strict models; what each key allows is its field's description."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    ValidationInfo,
    create_model,
    field_validator,
    model_validator,
)

from shoal.kernels.network.architecture import ACTIVATIONS
from shoal.kernels.network.laws import BIASES, INITIALISERS
from shoal.pipeline.config.faults import ConfigError, Fault, refusal
from shoal.pipeline.config.fields import (
    COUNTS,
    KINDS,
    LONGEST_LINE,
    POSITIVE,
    Activation,
    Address,
    Axis,
    Bias,
    Blanks,
    Choose,
    ColumnName,
    Columns,
    Count,
    HiddenSizes,
    Initialiser,
    Line,
    MethodName,
    Name,
    Networks,
    Positive,
    Seed,
    Share,
)
from shoal.pipeline.hyperparameters import CLASSES_LOSS, DURATIONS, ENGINE, KEYS, METHODS, TRAINING

Separator = Literal[",", ";", "|", " ", "\t"]
Mark = Literal[".", ","]
Group = Literal[".", ",", " ", "'"]


PATH = "the path of a CSV or Parquet file"
FILES = ("train", "validation", "test")
"""Keys of files that have the rows of one part each."""


def _quoted(kind: Any) -> str:
    return ", ".join(map(repr, get_args(kind)))


def _listed(names: Iterable[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


class Closed(BaseModel):
    """A model without room for unknown keys, converted values, infinity or change."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Fractions(Closed):
    """Shares of a file's rows; of folds, those to test on alone."""

    train: Positive | None = Field(default=None, description=POSITIVE)
    validation: Positive | None = Field(default=None, description=POSITIVE)
    test: Positive | None = Field(default=None, description=POSITIVE)
    calibration: Positive | None = Field(default=None, description=POSITIVE)

    @model_validator(mode="after")
    def _sum_to_one(self) -> Fractions:
        if self.is_of_folds:
            return self
        shares = self.shares if self.train else {"train": None, **self.shares}
        if None in shares.values() or abs(sum(self.shares.values()) - 1) > 1e-9:
            names = _listed(shares) if self.calibration is None else ", ".join(shares)
            raise refusal(f"{names} that sum to 1")
        return self

    @property
    def shares(self) -> dict[str, float]:
        """Those that are given, by their names."""
        return {name: share for name in type(self).model_fields if (share := getattr(self, name)) is not None}

    @property
    def is_of_folds(self) -> bool:
        """Whether the share to test on stands alone, so that all others are rows of folds."""
        return self.shares.keys() == {"test"} and self.shares["test"] < 1


class Splits(Closed):
    """How rows come to their part: at random, in their order or that of a column, by the groups of a column, or in
    folds, each of which is validated on once a repeat and trained on otherwise."""

    kind: Literal["random", "ordered", "group", "kfold"] = Field(description="random, ordered, group, kfold")
    column: ColumnName | None = Field(default=None, description="the name of a column")
    folds: Count | None = Field(default=None, ge=2, description="a whole number of 2 or more")
    repeats: Count | None = Field(default=None, description="a whole number of 1 or more")

    @model_validator(mode="after")
    def _column_where_one_counts(self) -> Splits:
        if self.kind in ("random", "kfold") and self.column is not None:
            raise refusal(f"no column for kind {self.kind}; it is for ordered and group")
        if self.kind == "kfold" and self.folds is None:
            raise refusal("folds for kind kfold: into how many parts rows are cut, a whole number of 2 or more")
        if self.kind != "kfold" and (self.folds, self.repeats) != (None, None):
            raise refusal(f"no folds and no repeats for kind {self.kind}; they are for kfold")
        if self.kind == "group" and self.column is None:
            raise refusal("a column for kind group: rows of one value of it stay together")
        return self


class Missing(Closed):
    """What becomes of missing cells; a kind of columns that is not named may have none."""

    numbers: Literal["median"] | None = Field(default=None, description="null, median")
    categories: Literal["own"] | None = Field(default=None, description="null, own")


class DataConfig(Closed):
    """Where the samples come from."""

    source: Literal["function", "file"] = Field(description="function, file")
    path: str | None = Field(default=None, min_length=1, description=PATH)
    train: str | None = Field(default=None, min_length=1, description=PATH)
    validation: str | None = Field(default=None, min_length=1, description=PATH)
    test: str | None = Field(default=None, min_length=1, description=PATH)
    targets: Columns = Field(description="a list of column names")
    features: Columns | None = Field(description="null (all columns but the targets), or a list of column names")
    fractions: Fractions = Field(description=f"a mapping with the keys {', '.join(Fractions.model_fields)}")
    split_seed: Seed = Field(description="a whole number from 0 to 4294967295")
    standardise: bool = Field(description="true, false")
    splits: Splits | None = Field(
        default=None,
        validate_default=True,
        description=f"null, or a mapping with the keys {', '.join(Splits.model_fields)}",
    )
    ignore: Columns | None = Field(default=None, description="null, or a list of columns that are no features")
    id: Axis[ColumnName] | None = Field(default=None, description="null, or columns that name rows, one or a list")
    missing: Missing = Field(
        default=Missing(), description=f"a mapping with the keys {', '.join(Missing.model_fields)}"
    )
    missing_values: Blanks | None = Field(default=None, description="null, or a list of text and numbers")
    separator: Separator | None = Field(default=None, description=f"null, {_quoted(Separator)}")
    decimal: Mark | None = Field(default=None, description=f"null, {_quoted(Mark)}")
    thousands: Group | None = Field(default=None, description=f"null, {_quoted(Group)}")
    encoding: str | None = Field(default=None, description="null (UTF-8 or UTF-16), or the name of an encoding")
    header_row: Count | Literal["none"] | None = Field(
        default=None, description="null, none, or the number of the row that has the names of the columns"
    )
    task: Literal["regression", "classification"] = Field(
        default="regression", description="regression, classification"
    )

    @field_validator("splits")
    @classmethod
    def _split_by_no_target(cls, splits: Splits | None, info: ValidationInfo) -> Splits | None:
        if splits and splits.column in info.data.get("targets", ()):
            raise refusal("a column that is not among the targets")
        shares, in_folds = info.data.get("fractions"), splits is not None and splits.kind == "kfold"
        if shares and in_folds and not shares.is_of_folds:
            raise refusal("for kind kfold data.fractions with test alone, such as {test: 0.2}: the others are folds")
        if shares and shares.is_of_folds and not in_folds:
            found = "fractions with test alone, and no splits of kind kfold"
            allowed = "shares train, validation and test that sum to 1; or splits: {kind: kfold, folds: 5}"
            raise refusal(allowed, found)
        return splits

    @model_validator(mode="after")
    def _of_one_file_or_several(self) -> DataConfig:
        """Each part comes from one place: a file of its own, or a share of the rows of the file that is trained on."""
        if self.files.keys() not in ({"path"}, {"train", "test"}, {*FILES}):
            allowed = "path, a file with all rows; or train and test, a file each, and validation where there is one"
            raise refusal(allowed, _listed(self.files) if self.files else "no path")
        if self.splits and self.splits.kind == "kfold":
            if "path" not in self.files:
                allowed = "path, a file with all rows, where data.splits are of kind kfold"
                raise refusal(allowed, _listed(self.files))
            return self
        cut = [name for name in FILES if name == "train" or name not in self.files]
        given = [name for name in self.fractions.shares if name != "calibration"]
        if given != cut:
            allowed = f"shares of {_listed(cut)} in data.fractions, and of calibration where there is an interval"
            raise refusal(f"{allowed}; {_listed(self.files)} is what rows come from", f"fractions of {_listed(given)}")
        return self

    @property
    def files(self) -> dict[str, str]:
        """The paths of the files that rows come from, by their keys; the first one is trained on."""
        return {name: path for name in ("path", *FILES) if (path := getattr(self, name)) is not None}

    @property
    def is_in_folds(self) -> bool:
        """Whether rows are validated on in folds."""
        return self.is_table and self.splits is not None and self.splits.kind == "kfold"

    def n_train(self, rows: int) -> int:
        """How many of the rows that are not tested on, or kept for anything else, each network has at least."""
        folds = self.splits.folds if self.is_in_folds and self.splits else None
        return rows - -(-rows // folds) if folds else rows

    @property
    def is_table(self) -> bool:
        """Whether the samples are a user's, so that results are told in units, and beside baselines."""
        return self.source == "file"

    @property
    def is_classification(self) -> bool:
        """Whether classes are predicted; the function is one of numbers."""
        return self.is_table and self.task == "classification"

    @field_validator("task")
    @classmethod
    def _one_target_of_classes(cls, task: str, info: ValidationInfo) -> str:
        if task == "classification" and len(info.data.get("targets", ())) > 1:
            raise refusal("regression; or classification with one column in data.targets")
        return task

    @field_validator("features")
    @classmethod
    def _no_target(cls, features: tuple[str, ...] | None, info: ValidationInfo) -> tuple[str, ...] | None:
        if set(features or ()) & set(info.data.get("targets", ())):
            raise refusal("columns that are not among the targets")
        return features

    @field_validator("id")
    @classmethod
    def _names_alone(cls, names: tuple[str, ...] | None, info: ValidationInfo) -> tuple[str, ...] | None:
        if set(names or ()) & {*info.data.get("targets", ()), *(info.data.get("features") or ())}:
            raise refusal("columns that are not among the targets and features")
        return names


class Tracking(Closed):
    """What is shown in MLflow."""

    granularity: Literal["cell", "network"] = Field(description="cell, network")
    experiment: Name | None = Field(default=None, description="null, or a name of letters, digits, - and _")


class ReportConfig(Closed):
    """What the report says of the study as a whole; the assignment's words are in it where `parts` names any."""

    title: Line = Field(default="shoal: results", description=f"one line of up to {LONGEST_LINE} characters")
    parts: dict[Name, Line] = Field(
        default={}, description=f"a mapping of sweeps to text such as 2g or '3.1', of up to {LONGEST_LINE} characters"
    )


class Execution(Closed):
    """Where networks are trained, which decides how long that takes, and no result."""

    engine: Literal["local", "dask"] = Field(default="local", description="local, dask")
    address: Address | None = Field(
        default=None, description="HOST:PORT or tcp://HOST:PORT of a Dask scheduler; or local, for a cluster of its own"
    )

    @model_validator(mode="after")
    def _address_of_a_cluster(self) -> Execution:
        if self.engine == "dask" and self.address is None:
            raise refusal(f"an address beside engine dask: {type(self).model_fields['address'].description}")
        if self.engine == "local" and self.address is not None:
            raise refusal("no address for engine local; it is for dask")
        return self


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


class Config(Closed):
    """params.yaml as a whole."""

    seed: Seed = Field(description="a whole number from 0 to 4294967295")
    dtype: Literal["float64", "float32"] = Field(description="float64, float32")
    data: DataConfig = Field(description=f"a mapping with the keys {', '.join(DataConfig.model_fields)}")
    tracking: Tracking = Field(description=f"a mapping with the keys {', '.join(Tracking.model_fields)}")
    report: ReportConfig = Field(
        default=ReportConfig(), description=f"a mapping with the keys {', '.join(ReportConfig.model_fields)}"
    )
    choose: Choose = Field(default="network", description="network, cell, or {best: N}, N a whole number of 1 or more")
    interval: Share | None = Field(default=None, description="a number above 0, below 1")
    execution: Execution = Field(
        default=Execution(), description=f"a mapping with the keys {', '.join(Execution.model_fields)}"
    )
    sweeps: dict[Name, Sweep] = Field(description="at least one block of sweep keys under a name")

    def with_losses(self) -> Config:
        """The same with the loss of the task written out where a sweep says none."""
        if not self.data.is_classification:
            return self
        own = {"loss": {"all": (CLASSES_LOSS,)}}
        sweeps = {
            name: sweep if "loss" in sweep.model_fields_set else sweep.model_copy(update=own)
            for name, sweep in self.sweeps.items()
        }
        return self.model_copy(update={"sweeps": sweeps})

    def sweep(self, name: str) -> Sweep:
        """The block of a sweep; raises ConfigError for a name that there is not."""
        if name not in self.sweeps:
            raise ConfigError([Fault("", f"no sweep '{name}'", ", ".join(self.sweeps))])
        return self.sweeps[name]
