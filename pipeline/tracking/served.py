"""Networks behind MLflow's `pyfunc` interface. This file is copied into the model, which is loaded from it.

It reads nothing but network.json beside it, and needs the predictor and the kernels alone, copied into the model too.
"""

from __future__ import annotations

import logging
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
from shoal.pipeline.preparation import BOOLEAN, CATEGORY, NUMBER, Preparation

SHOWN_FAULTS = 10
ALLOWED = {NUMBER: "a finite number", BOOLEAN: "true or false", CATEGORY: "text"}
LOG = logging.getLogger("shoal")


class ServedNetwork(PythonModel):
    """Predictions in original units for a table with the feature columns: the columns of Predictor.table.

    MLflow's own check of columns is not used: it takes no whole numbers where numbers are asked for.
    """

    def load_context(self, context: PythonModelContext) -> None:
        """Read the network and predict once, so that the kernels are compiled before the first request."""
        self.predictor = Predictor.load(Path(context.artifacts["network"]))
        self.preparation = self.predictor.prepared
        self.columns = self.predictor.columns
        self.predictor.answer(np.zeros((1, self.predictor.n_inputs)))

    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """One row of predictions a row of `model_input`; other columns are ignored, and their order is free.

        Raises MlflowException, which a model server answers with status 400, for cells that are not of their column's
        kind, or missing where the network knows of no missing ones. Cells such as no training row had are logged.
        """
        table = _table(model_input)
        cells = _cells(table, self.preparation)
        for name, remark in self.preparation.remarks(cells):
            LOG.warning("column '%s': %s", name, remark)
        answer = self.predictor.table(self.predictor.inputs(cells))
        return pd.DataFrame(answer, index=table.index, columns=self.columns)


def _table(model_input: Any) -> pd.DataFrame:
    """What a model server makes of its kinds of JSON is a table, lists by column, or one row by column."""
    if isinstance(model_input, dict) and not any(np.ndim(cells) for cells in model_input.values()):
        return pd.DataFrame([model_input])
    return pd.DataFrame(model_input)


def _cells(table: pd.DataFrame, preparation: Preparation) -> dict[str, np.ndarray]:
    """The cells (n,) of each feature; raises MlflowException with a line for every fault."""
    columns = list(table.columns)
    wrong = [name for name in preparation.names if columns.count(name) != 1]
    _refuse([f"{columns.count(name)} columns '{name}'; allowed: one, of {columns}" for name in wrong])
    found: dict[str, np.ndarray] = {}
    faults: list[tuple[int, str]] = []
    for column in preparation.columns:
        cells = table[column.name].tolist()
        numbers = np.array([_number(cell) for cell in cells], np.float64)
        found[column.name], _, bad = column.read(cells, numbers, preparation.blanks)
        where, allowed = f"in column '{column.name}', row", f"allowed: {ALLOWED[column.kind]}"
        faults += [(i, f"{cells[i]!r} {where} {i + 1}; {allowed}") for i in np.flatnonzero(bad).tolist()]
    _refuse([fault for _, fault in sorted(faults, key=lambda fault: fault[0])])
    return found


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
