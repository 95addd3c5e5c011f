"""The block `data` of params.yaml: where samples come from, how they are read and split."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, get_args

from pydantic import Field, ValidationInfo, field_validator, model_validator

from shoal.pipeline.config.closed import Closed
from shoal.pipeline.config.faults import refusal
from shoal.pipeline.config.fields import POSITIVE, Axis, Blanks, ColumnName, Columns, Count, Positive, Seed

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

    @field_validator("thousands")
    @classmethod
    def _no_decimal_mark(cls, thousands: str | None, info: ValidationInfo) -> str | None:
        if thousands and thousands == info.data.get("decimal"):
            raise refusal("null, or another mark than data.decimal")
        return thousands

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
