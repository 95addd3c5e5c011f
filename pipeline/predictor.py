"""Networks in the user's units: a preparation of columns, one network or several, and the way back.

It travels with every network that leaves the project (see tracking/model.py), so of the pipeline it imports nothing but
`preparation` and `scaling`, which go with it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from shoal.kernels.ensemble import predict
from shoal.kernels.network.architecture import Architecture
from shoal.pipeline.preparation import Preparation
from shoal.pipeline.scaling import Scaling


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

    Features are standardised, the outputs of the networks averaged (today there is one), and the standardisation of the
    targets is undone. Without a `preparation` the features are numbers, each an input as it is.
    """

    feature_names: tuple[str, ...]
    target_names: tuple[str, ...]
    x_scaling: Scaling
    y_scaling: Scaling
    networks: tuple[Fitted, ...]
    preparation: Preparation | None = None

    @classmethod
    def of(cls, columns: Mapping[str, Any], *networks: Fitted) -> Predictor:
        """Networks that were trained on these columns: names and scalings as data.json has them."""
        features, targets = (tuple(columns[name]) for name in ("feature_names", "target_names"))
        x_scaling, y_scaling = (Scaling.from_json(columns[name]) for name in ("x_scaling", "y_scaling"))
        return cls(features, targets, x_scaling, y_scaling, networks, Preparation.from_json(columns))

    @property
    def prepared(self) -> Preparation:
        """What makes x of cells: `prepared.matrix`."""
        return self.preparation or Preparation.of_numbers(self.feature_names)

    def predict(self, x: np.ndarray) -> np.ndarray:
        """y_hat (n, n_outputs) float64 for x (n, n_inputs); NaN from parameters that are not finite.

        Raises ValueError for an x that does not fit the networks.
        """
        inputs = self.x_scaling.apply(x)
        outputs = [predict(network.architecture, network.params, inputs) for network in self.networks]
        return self.y_scaling.undo(reduce(np.add, outputs) / len(outputs))

    def to_json(self) -> dict[str, Any]:
        """As values that JSON has, with all the digits that tell numbers apart."""
        return {
            "feature_names": list(self.feature_names),
            "target_names": list(self.target_names),
            "x_scaling": self.x_scaling.to_json(),
            "y_scaling": self.y_scaling.to_json(),
            **self.prepared.to_json(),
            "networks": [
                {"architecture": str(architecture), "dtype": str(params.dtype), "params": params.tolist()}
                for architecture, params in self.networks
            ],
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Predictor:
        """What `to_json` gave, bit for bit; other keys are ignored. Raises KeyError where one of its own is missing."""
        networks = (
            Fitted.of(network["architecture"], np.array(network["params"], network["dtype"]))
            for network in content["networks"]
        )
        return cls.of(content, *networks)

    def save(self, path: Path) -> None:
        """Write it as one JSON file, nothing pickled; raises ValueError for parameters that are not finite."""
        path.write_text(json.dumps(self.to_json(), allow_nan=False), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Predictor:
        """Read what `save` wrote, bit for bit; raises ValueError for a file that holds no predictor."""
        try:
            return cls.from_json(json.loads(path.read_text(encoding="utf-8")))
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path}: found no predictor ({error!r}); allowed: a file that `save` wrote") from None
