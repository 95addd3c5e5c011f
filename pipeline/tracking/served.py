"""A network behind MLflow's `pyfunc` interface. This file is copied into the model, which is loaded from it.

It reads nothing but network.json beside it, and needs the kernels alone, whose copy is in the model too.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext

from kernels.architecture import Architecture
from kernels.ensemble import predict


class Network(PythonModel):
    """Predictions in original units for a table with the feature columns: a column <target>_predicted each."""

    def load_context(self, context: PythonModelContext) -> None:
        """Read the network and predict once, so that the kernels are compiled before the first request."""
        content = json.loads(Path(context.artifacts["network"]).read_text(encoding="utf-8"))
        self.features: list[str] = content["feature_names"]
        self.columns = [f"{name}_predicted" for name in content["target_names"]]
        self.architecture = Architecture.parse(content["architecture"])
        self.params = np.array(content["params"], content["dtype"])
        self.x_mean, self.x_scale = _scaling(content["x_scaling"])
        self.y_mean, self.y_scale = _scaling(content["y_scaling"])
        self._outputs(np.zeros((1, len(self.features))))

    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """One row of predictions a row of `model_input`, whose order of columns is free."""
        y_hat = self._outputs(model_input[self.features].to_numpy(np.float64))
        return pd.DataFrame(y_hat, index=model_input.index, columns=self.columns)

    def _outputs(self, x: np.ndarray) -> np.ndarray:
        """y_hat (n, n_outputs) for x (n, n_features), both in original units."""
        y_hat = predict(self.architecture, self.params, (x - self.x_mean) / self.x_scale)
        outputs: np.ndarray = y_hat * self.y_scale + self.y_mean
        return outputs


def _scaling(value: dict[str, list[float]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array(value["mean"]), np.array(value["scale"])


set_model(Network())
