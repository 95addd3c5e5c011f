"""Samples in the user's units and in those that networks are trained in."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd

from shoal.pipeline.classes import NUMBERS, Classes
from shoal.pipeline.config.faults import Notice
from shoal.pipeline.predictor import Fitted, Predictor
from shoal.pipeline.preparation import Preparation
from shoal.pipeline.scaling import Scaling
from shoal.pipeline.tasks import CLASSIFICATION, REGRESSION, Task

_DTYPES = {str: "string", int: "Int64", bool: "boolean"}
"""Of pandas, by the kind of labels."""


@dataclass(frozen=True, eq=False)
class Split:
    """Samples in original units: `x` float64 (n, n_inputs), `y` float64 (n, n_outputs), of classes 1 for the true one.

    `rows` int64 (n,) is the place of each among the data rows of the table that it came from, or among the points of
    the function; the first is 1. `cells` are the features as the table has them, None where these are x, and `ids` the
    columns that name the rows, as text.
    """

    x: np.ndarray
    y: np.ndarray
    rows: np.ndarray
    cells: pd.DataFrame | None = None
    ids: pd.DataFrame = field(default_factory=pd.DataFrame)

    @classmethod
    def of(
        cls, preparation: Preparation, cells: pd.DataFrame, y: np.ndarray, rows: np.ndarray, ids: pd.DataFrame
    ) -> Split:
        """The samples of these features (n, n_features)."""
        kept = None if preparation.is_plain else cells.reset_index(drop=True)
        named = ids.reset_index(drop=True) if len(ids.columns) else pd.DataFrame()
        return cls(preparation.matrix(cells), y.copy(order="C"), rows, kept, named)


@dataclass(frozen=True, eq=False)
class Dataset:
    """Three splits, the grid that fits are drawn on (its `y` is NaN where the truth is unknown), names, scalings."""

    preparation: Preparation
    target_names: tuple[str, ...]
    x_scaling: Scaling
    y_scaling: Scaling
    train: Split
    validation: Split
    test: Split
    grid: Split
    calibration: Split | None = field(default=None, kw_only=True)
    """Rows that neither training nor choice sees, for prediction intervals; None where none are asked for."""
    classes: Classes = field(default=NUMBERS, kw_only=True)
    """Those of the one target, which are the outputs; none where targets are numbers."""
    notices: tuple[Notice, ...] = field(default=(), kw_only=True)
    """What looks wrong with the user's table; known where the dataset is made of it, not where it is loaded."""

    @property
    def feature_names(self) -> tuple[str, ...]:
        return self.preparation.names

    @property
    def n_features(self) -> int:
        return len(self.feature_names)

    @property
    def n_inputs(self) -> int:
        """Units that networks begin with: one a number, more where columns are categories or have missing cells."""
        return len(self.preparation.inputs)

    @property
    def n_outputs(self) -> int:
        return len(self.classes) or len(self.target_names)

    @property
    def outputs_of(self) -> list[list[int]]:
        """The places among the outputs of each target: one, or those of its classes."""
        every = list(range(self.n_outputs))
        return [every] if self.classes else [[k] for k in every]

    @cached_property
    def is_tested(self) -> bool:
        """Whether the test rows have targets: those of a file of their own may have none, to be predicted alone."""
        return not np.isnan(self.test.y).all()

    @property
    def task(self) -> Task:
        """What networks are trained for on it, and which errors of theirs are reported."""
        return CLASSIFICATION if self.classes else REGRESSION

    @cached_property
    def error_scale(self) -> np.ndarray:
        """What the errors of each target are divided by where they are weighed against each other, (n_outputs,).

        The deviation of the target on the training rows, whatever the networks see, 1 where there is none that float64
        can hold; and 1 for a single target, which has nothing to be weighed against.
        """
        scale = Scaling.fit(self.train.y).scale
        is_sound = np.isfinite(scale) & (scale > 0) & (len(self.target_names) > 1)
        return np.where(is_sound, scale, 1.0)

    @cached_property
    def data_hash(self) -> str:
        """Hex SHA-256 of what networks are trained on: shape and float64 bytes of the standardised training split."""
        return self._hash(self.train)

    @cached_property
    def validation_hash(self) -> str:
        """The same of the validation split, which stops networks, or chooses the parameters that they keep."""
        return self._hash(self.validation)

    def _hash(self, split: Split) -> str:
        digest = hashlib.sha256()
        for a in (self.inputs(split), self.outputs(split)):
            digest.update(np.array(a.shape, dtype="<i8").tobytes() + a.astype("<f8").tobytes())
        return digest.hexdigest()

    def inputs(self, split: Split) -> np.ndarray:
        """Standardised x of a split, (n, n_inputs)."""
        return self.x_scaling.apply(split.x)

    def outputs(self, split: Split) -> np.ndarray:
        """Standardised y of a split, (n, n_outputs)."""
        return self.y_scaling.apply(split.y)

    def features(self, split: Split) -> pd.DataFrame:
        """The features of a split as the table has them, (n, n_features)."""
        return pd.DataFrame(split.x, columns=self.feature_names) if split.cells is None else split.cells

    def targets(self, split: Split) -> pd.DataFrame:
        """The targets of a split as the table has them, (n, n_targets); labels are missing where y is NaN."""
        if not self.classes:
            return pd.DataFrame(split.y, columns=list(self.target_names))
        [target] = self.target_names
        return pd.DataFrame({target: pd.Series(self.classes.likeliest(split.y), dtype=_DTYPES[self.classes.kind])})

    def predictor(self, architecture: str, params: np.ndarray) -> Predictor:
        """A network that was trained on this, in the user's units: its notation, and its parameters (n_params,)."""
        fitted = Fitted.of(architecture, params)
        scalings = (self.x_scaling, self.y_scaling)
        names = (self.feature_names, self.target_names)
        return Predictor(*names, *scalings, (fitted,), self.preparation, classes=self.classes)
