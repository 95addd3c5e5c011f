"""Samples in the user's units and in those that networks are trained in."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
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

_ALL = slice(None)
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
    folds: tuple[Dataset, ...] = field(default=(), kw_only=True)
    """Where rows are validated on in folds, the data of each: train and validation are those of one split there, and
    preparation and scalings are fitted to its own training rows. `train` and `validation` here are both all these rows,
    and what is fitted to them describes the data; no network sees it."""

    @property
    def parts(self) -> tuple[Dataset, ...]:
        """What networks are trained on: the folds, or this alone."""
        return self.folds or (self,)

    def part_of(self, replicate: int) -> Dataset:
        """What the networks of a replicate are trained on: in turn each of the parts."""
        return self.parts[replicate % len(self.parts)]

    @property
    def n_train(self) -> int:
        """The rows that every network has at least to train on."""
        return min(len(part.train.x) for part in self.parts)

    def out_of_fold(self, y_hats: Iterable[np.ndarray]) -> np.ndarray:
        """The mean over repeats (n, n_outputs) of predictions of the rows that each fold holds out, in the order of
        `validation`."""
        total = np.zeros_like(self.validation.y)
        for fold, y_hat in zip(self.folds, y_hats, strict=True):
            total[np.searchsorted(self.validation.rows, fold.validation.rows)] += y_hat
        mean: np.ndarray = total / self.folds_of_rows.shape[1]
        return mean

    @cached_property
    def folds_of_rows(self) -> np.ndarray:
        """The folds that hold out each row of `validation`, (n, n_repeats)."""
        held = np.zeros((len(self.validation.x), len(self.folds)), bool)
        for i, fold in enumerate(self.folds):
            held[np.searchsorted(self.validation.rows, fold.validation.rows), i] = True
        return np.nonzero(held)[1].reshape(len(held), -1)

    def predicted(self, predictor: Predictor, split: str) -> np.ndarray:
        """What networks trained on this predict of a split (n, n_outputs), in the user's units.

        Of rows that folds hold out, by the networks of these folds alone; NaN where there are none.
        """
        if split == "validation" and self.folds:
            found = zip(predictor.folds, self.folds, strict=True)
            parts = ((one, fold.validation) for one, fold in found)
            return self.out_of_fold(one.predict(own.x) if one.networks else own.y * np.nan for one, own in parts)
        return predictor.predict(np.hstack(self.seen(split)))

    def seen(self, split: str) -> list[np.ndarray]:
        """x of a split (n, n_inputs), not standardised, as each of the parts has it."""
        if not self.folds or split == "test":
            return [getattr(part, split).x for part in self.parts]
        pool = [np.empty((len(self.train.x), fold.n_inputs)) for fold in self.folds]
        for x, fold in zip(pool, self.folds, strict=True):
            for own in (fold.train, fold.validation):
                x[np.searchsorted(self.train.rows, own.rows)] = own.x
        return pool

    def prepared_by(self, preparation: Preparation, split: Split, kept: np.ndarray | slice = _ALL) -> Split:
        """The rows of a split that are kept, as places or bool, with what else was fitted to their columns."""
        ids = split.ids[kept] if len(split.ids.columns) else split.ids
        return Split.of(preparation, self.features(split)[kept], split.y[kept], split.rows[kept], ids)

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
        return self._mean_of([Fitted.of(architecture, params)])

    def mean_of(self, networks: Sequence[tuple[int, Fitted]]) -> Predictor:
        """The mean of networks, each with its replicate, trained on the parts of this, in the user's units."""
        if not self.folds:
            return self._mean_of([network for _, network in networks])
        n = len(self.folds)
        own = ([network for replicate, network in networks if replicate % n == i] for i in range(n))
        folds = [fold._mean_of(some) for fold, some in zip(self.folds, own, strict=True)]
        return Predictor.in_folds(self.preparation, folds)

    def _mean_of(self, networks: Sequence[Fitted]) -> Predictor:
        scalings = (self.x_scaling, self.y_scaling)
        names = (self.feature_names, self.target_names)
        return Predictor(*names, *scalings, tuple(networks), self.preparation, classes=self.classes)
