"""Networks in the user's units: a preparation of columns, one network or several, and the way back.

It travels with every network that leaves the project (see tracking/model.py), so of the pipeline it imports nothing but
`classes`, `cv_plus`, `preparation` and `scaling`, which go with it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from shoal.kernels.network.architecture import Architecture
from shoal.pipeline.classes import NUMBERS, Classes
from shoal.pipeline.cv_plus import OutOfFold
from shoal.pipeline.preparation import Cells, Preparation
from shoal.pipeline.scaling import Scaling

PREDICTED, SPREAD, PROBABILITY = "predicted", "spread", "probability"
ENDS = ("low", "high")


class Fitted(NamedTuple):
    """A network in the units that it was trained in: its architecture and its flat parameter row (n_params,)."""

    architecture: Architecture
    params: np.ndarray

    @classmethod
    def of(cls, notation: str, params: np.ndarray) -> Fitted:
        """The network of this notation."""
        return cls(Architecture.parse(notation), params)


@dataclass(frozen=True, eq=False)
class Predictor:
    """Predicts the columns `target_names` from the columns `feature_names`, both in the user's units.

    Features are standardised, the outputs of the networks averaged, and the standardisation of the targets is undone.
    `half_widths` has half the width of each target's prediction interval, NaN for one that is not known; it is None
    where no intervals are asked for. Without a `preparation` the features are numbers, each an input as it is. With
    `classes` the one target has labels: what is averaged, and what `predict` gives, are their probabilities.

    Networks that were trained on `folds` of the rows are those of these predictors, each with what was fitted to its
    own rows; x is then the inputs of each of them side by side, and nothing else is scaled. Their intervals are made of
    the rows that are `out_of_fold`.
    """

    feature_names: tuple[str, ...]
    target_names: tuple[str, ...]
    x_scaling: Scaling
    y_scaling: Scaling
    networks: tuple[Fitted, ...]
    preparation: Preparation | None = None
    half_widths: tuple[float, ...] | None = None
    classes: Classes = NUMBERS
    folds: tuple[Predictor, ...] = ()
    out_of_fold: OutOfFold | None = None

    @classmethod
    def in_folds(cls, preparation: Preparation, folds: Sequence[Predictor]) -> Predictor:
        """The mean of all networks of these; `preparation` is of all their rows."""
        first, networks = folds[0], tuple(network for fold in folds for network in fold.networks)
        scalings = (Scaling.identity(sum(fold.n_inputs for fold in folds)), Scaling.identity(len(first.y_scaling.mean)))
        names = (first.feature_names, first.target_names)
        return cls(*names, *scalings, networks, preparation, classes=first.classes, folds=tuple(folds))

    @classmethod
    def of(cls, columns: Mapping[str, Any], *networks: Fitted) -> Predictor:
        """Networks that were trained on these columns: names and scalings as data.json has them."""
        features, targets = (tuple(columns[name]) for name in ("feature_names", "target_names"))
        x_scaling, y_scaling = (Scaling.from_json(columns[name]) for name in ("x_scaling", "y_scaling"))
        classes = Classes(tuple(columns.get("classes", ())))
        prepared = Preparation.from_json(columns)
        return cls(features, targets, x_scaling, y_scaling, networks, prepared, classes=classes)

    @property
    def prepared(self) -> Preparation:
        """The features, and what their training rows had."""
        return self.preparation or Preparation.of_numbers(self.feature_names)

    @property
    def n_inputs(self) -> int:
        """Columns of x."""
        return len(self.x_scaling.mean)

    def inputs(self, cells: Cells) -> np.ndarray:
        """x (n, n_inputs) for the cells (n,) of each feature; raises what `Preparation.matrix` does."""
        if self.folds:
            return np.hstack([fold.inputs(cells) for fold in self.folds])
        return self.prepared.matrix(cells)

    def predict(self, x: np.ndarray) -> np.ndarray:
        """y_hat (n, n_outputs) float64 for x (n, n_inputs); NaN from parameters that are not finite.

        Raises ValueError for an x that does not fit the networks.
        """
        return self._mean(self._outputs(x))

    def of_each(self, x: np.ndarray, params: np.ndarray) -> Iterator[np.ndarray]:
        """What `predict` gives for x, (m, n, n_outputs) of some networks after another: its own architecture with other
        parameters, those of `params` (n_networks, n_params)."""
        [(architecture, _)] = self.networks
        for outputs in _predict_each(architecture, params, self.x_scaling.apply(x)):
            yield self._mean([self._trained_for(outputs)])

    def _outputs(self, x: np.ndarray) -> list[np.ndarray]:
        """Outputs (n, n_outputs) of each network, in the units that it was trained in; of classes, probabilities.

        Those of folds are in the user's.
        """
        if np.ndim(x) != 2 or x.shape[1] != self.n_inputs:
            raise ValueError(f"x has shape {np.shape(x)}; allowed: (n, {self.n_inputs}), a column for each input")
        if self.folds:
            parts = np.split(x, np.cumsum([fold.n_inputs for fold in self.folds])[:-1], axis=1)
            found = zip(self.folds, parts, strict=True)
            return [fold.y_scaling.undo(output) for fold, own in found for output in fold._outputs(own)]
        inputs = self.x_scaling.apply(x)
        own = ((network.architecture, network.params[np.newaxis]) for network in self.networks)
        outputs = (next(_predict_each(architecture, params, inputs))[0] for architecture, params in own)
        return list(map(self._trained_for, outputs))

    def _trained_for(self, outputs: np.ndarray) -> np.ndarray:
        if not self.classes:
            return outputs
        with np.errstate(over="ignore", invalid="ignore"):
            return softmax(outputs.astype(np.float64))

    def _mean(self, outputs: list[np.ndarray]) -> np.ndarray:
        return self.y_scaling.undo(reduce(np.add, outputs) / len(outputs))

    @property
    def kinds(self) -> tuple[str, ...]:
        """What it answers for each target, as the endings of columns."""
        spread = (SPREAD,) if len(self.networks) > 1 else ()
        return (PREDICTED, *spread, *(() if self.half_widths is None and self.out_of_fold is None else ENDS))

    @property
    def columns(self) -> list[str]:
        """Names of the columns of `table`: <target>_<kind>, the targets of a kind side by side.

        Of classes the label, the probability of each, and where several networks answer the spread.
        """
        if not self.classes:
            return [f"{target}_{kind}" for kind in self.kinds for target in self.target_names]
        [target] = self.target_names
        probabilities = (f"{PROBABILITY}_{name}" for name in self.classes.names)
        label, *others = self.kinds
        return [f"{target}_{kind}" for kind in (label, *probabilities, *others)]

    def table(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """The `columns` (n,): those of `answer`, of classes before them the likeliest labels, which are objects."""
        answer = self.answer(x)
        labels = [self.classes.likeliest(answer[:, : len(self.classes)])] if self.classes else []
        return dict(zip(self.columns, [*labels, *answer.T], strict=True))

    def answer(self, x: np.ndarray) -> np.ndarray:
        """The numbers in `columns`, float64 (n, n_numbers), for x (n, n_inputs); raises what `predict` does.

        Predictions; of several networks the standard deviation of their predictions (ddof 0, as they are all that
        answer); the ends of the prediction interval, NaN where they are not known. Of classes their probabilities, and
        the deviation of that of the likeliest class.
        """
        outputs = self._outputs(x)
        y_hat = self._mean(outputs)
        answers = [y_hat]
        if len(outputs) > 1:
            spread = np.std(outputs, axis=0, dtype=np.float64) * self.y_scaling.scale
            likeliest = y_hat.argmax(axis=1)[:, np.newaxis]
            answers.append(np.take_along_axis(spread, likeliest, axis=1) if self.classes else spread)
        if self.half_widths is not None:
            answers += [y_hat - self.half_widths, y_hat + self.half_widths]
        if self.out_of_fold is not None:
            answers += self.out_of_fold.ends(self._of_folds(outputs))
        return np.hstack(answers)

    def _of_folds(self, outputs: list[np.ndarray]) -> np.ndarray:
        """The mean of each fold's outputs (n_folds, n, n_outputs); NaN for one without networks."""
        ends = np.cumsum([0, *(len(fold.networks) for fold in self.folds)]).tolist()
        unknown = np.full_like(outputs[0], np.nan)
        parts = [outputs[start:end] for start, end in pairwise(ends)]
        return np.array([np.mean(part, axis=0) if part else unknown for part in parts])

    def to_json(self) -> dict[str, Any]:
        """As values that JSON has, with all the digits that tell numbers apart."""
        intervals = {}
        if self.half_widths is not None:
            intervals["half_widths"] = [None if np.isnan(width) else width for width in self.half_widths]
        names = {
            "feature_names": list(self.feature_names),
            "target_names": list(self.target_names),
        }
        if self.folds:
            ends = {"out_of_fold": self.out_of_fold.to_json()} if self.out_of_fold else {}
            return names | self.prepared.to_json() | {"folds": [fold.to_json() for fold in self.folds]} | ends
        return {
            **names,
            "x_scaling": self.x_scaling.to_json(),
            "y_scaling": self.y_scaling.to_json(),
            **self.prepared.to_json(),
            **({"classes": list(self.classes.labels)} if self.classes else {}),
            "networks": [
                {"architecture": str(architecture), "dtype": str(params.dtype), "params": params.tolist()}
                for architecture, params in self.networks
            ],
            **intervals,
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Predictor:
        """What `to_json` gave, bit for bit; other keys are ignored. Raises KeyError where one of its own is missing."""
        if "folds" in content:
            folds = [cls.from_json(fold) for fold in content["folds"]]
            ends = OutOfFold.from_json(content["out_of_fold"]) if "out_of_fold" in content else None
            return replace(cls.in_folds(Preparation.from_json(content), folds), out_of_fold=ends)
        networks = (
            Fitted.of(network["architecture"], np.array(network["params"], network["dtype"]))
            for network in content["networks"]
        )
        return cls.of(content, *networks).with_half_widths(content.get("half_widths"))

    def with_half_widths(self, widths: Iterable[float | None] | None) -> Predictor:
        """The same with intervals of these half widths, one a target, None for one that is not known; or without."""
        known = None if widths is None else tuple(np.nan if width is None else width for width in widths)
        return replace(self, half_widths=known)

    def save(self, path: Path) -> None:
        """Write it as one JSON file, nothing pickled; raises ValueError for parameters that are not finite."""
        path.write_text(json.dumps(self.to_json(), allow_nan=False), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Predictor:
        """Read what `save` wrote, bit for bit; raises ValueError for a file that holds no predictor."""
        try:
            return cls.from_json(json.loads(path.read_text(encoding="utf-8")))
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise ValueError(f"{path}: found no predictor ({error!r}); allowed: a file that `save` wrote") from None


# What these import takes 0.2 s, with Numba: most of those who know a predictor never ask it anything.


def softmax(outputs: np.ndarray) -> np.ndarray:
    """Probabilities of the classes, of the outputs (..., n_classes) of a network."""
    from shoal.kernels.network.losses import loss_of

    return loss_of("cross_entropy").link(outputs)


def _predict_each(architecture: Architecture, params: np.ndarray, x: np.ndarray) -> Iterator[np.ndarray]:
    from shoal.kernels.single import predict_each

    return predict_each(architecture, params, x)
