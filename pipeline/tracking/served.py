"""Networks behind MLflow's `pyfunc` interface. This file is copied into the model, which is loaded from it.

It reads nothing but network.json beside it, and needs the predictor and the kernels alone, copied into the model too.
"""

from __future__ import annotations

from decimal import Decimal
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext

from shoal.pipeline.predictor import Predictor

SHOWN_FAULTS = 10


class ServedNetwork(PythonModel):
    """Predictions in original units for a table with the feature columns: the columns of Predictor.answer.

    MLflow's own check of columns is not used: it takes no whole numbers where numbers are asked for.
    """

    def load_context(self, context: PythonModelContext) -> None:
        """Read the network and predict once, so that the kernels are compiled before the first request."""
        self.predictor = Predictor.load(Path(context.artifacts["network"]))
        self.features = list(self.predictor.feature_names)
        self.columns = self.predictor.columns
        self.predictor.answer(np.zeros((1, len(self.features))))

    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """One row of predictions a row of `model_input`; other columns are ignored, and their order is free.

        Raises MlflowException, which a model server answers with status 400, for cells that are no finite numbers.
        """
        table = _table(model_input)
        answer = self.predictor.answer(_numbers(table, self.features))
        return pd.DataFrame(answer, index=table.index, columns=self.columns)


def _table(model_input: Any) -> pd.DataFrame:
    """What a model server makes of its kinds of JSON is a table, lists by column, or one row by column."""
    if isinstance(model_input, dict) and not any(np.ndim(cells) for cells in model_input.values()):
        return pd.DataFrame([model_input])
    return pd.DataFrame(model_input)


def _numbers(table: pd.DataFrame, features: list[str]) -> np.ndarray:
    """The features as float64 (n, n_features); raises MlflowException with a line for every fault."""
    columns = list(table.columns)
    wrong = [name for name in features if columns.count(name) != 1]
    _refuse([f"{columns.count(name)} columns '{name}'; allowed: one, of {columns}" for name in wrong])
    cells = {name: table[name].tolist() for name in features}
    x = np.array([[_number(cell) for cell in cells[name]] for name in features], np.float64).T
    bad = [(features[j], i) for i, j in np.argwhere(~np.isfinite(x))]
    _refuse([f"{cells[name][i]!r} in column '{name}', row {i + 1}; allowed: a finite number" for name, i in bad])
    return x


def _refuse(faults: list[str]) -> None:
    if faults:
        more = [f"{len(faults) - SHOWN_FAULTS} more such cells"] if len(faults) > SHOWN_FAULTS else []
        raise MlflowException.invalid_parameter_value("found " + "\nfound ".join(faults[:SHOWN_FAULTS] + more))


def _number(cell: object) -> float:
    """The float64 nearest to a number or to true and false as 1 and 0; NaN for anything else, text above all."""
    try:
        return float(cell) if isinstance(cell, Real | Decimal | np.bool_) else np.nan
    except OverflowError:
        return np.inf


set_model(ServedNetwork())
