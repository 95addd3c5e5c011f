"""scikit-learn's side of bench/accuracy.py: its models of each task, fitted on one thread; results are kept."""

from __future__ import annotations

import hashlib
import json
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegressionCV, RidgeCV
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, KFold, StratifiedKFold
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from bench.accuracy_page import BOOSTING, FOREST, GRID, LINEAR
from shoal.pipeline.store import read_json

SETTINGS = {
    "hidden_layer_sizes": [(64,), (64, 64)],
    "activation": ["relu", "tanh"],
    "alpha": [1e-4, 1e-2, 1.0],
    "learning_rate_init": [1e-3, 1e-2],
}


class Fold:
    """The rows that models are fitted to, and those that they predict for, as the data stage of a study split them."""

    def __init__(self, study: Path) -> None:
        settings = read_json(study / "data" / "data.json")
        parts = [pd.read_parquet(study / "data" / f"{name}.parquet") for name in ("train", "validation", "test")]
        self.features, [self.target] = settings["feature_names"], settings["target_names"]
        in_folds = parts[0].equals(parts[1])  # all rows are both trained and validated on
        self.fitted, self.test = parts[0] if in_folds else pd.concat(parts[:2], ignore_index=True), parts[2]
        self.is_of_classes = "classes" in settings
        self.classes = np.unique(self.fitted[self.target]) if self.is_of_classes else None

    @property
    def columns(self) -> list[str]:
        """Those of a study's predictions that its error is made of."""
        if self.classes is None:
            return [f"{self.target}_predicted"]
        return [f"{self.target}_probability_{label}" for label in self.classes]

    def error(self, predicted: np.ndarray) -> float:
        """The root mean squared error of predictions (n_test,), the log loss of probabilities (n_test, n_classes)."""
        truth = self.test[self.target].to_numpy()
        if self.classes is not None:
            return float(log_loss(truth, predicted, labels=self.classes))
        return float(np.sqrt(np.mean((predicted - truth) ** 2)))

    def key(self, model: Any) -> str:
        """What the error of a model depends on."""
        tables = "".join(part[[*self.features, self.target]].to_csv(index=False) for part in (self.fitted, self.test))
        return hashlib.sha256(f"{tables}{model!r}{getattr(model, 'param_grid', '')}".encode()).hexdigest()[:16]


def _networks() -> GridSearchCV:
    network = make_pipeline(StandardScaler(), MLPRegressor(max_iter=500, random_state=0))
    model = TransformedTargetRegressor(network, transformer=StandardScaler())
    grid = {f"regressor__mlpregressor__{key}": values for key, values in SETTINGS.items()}
    folds = KFold(5, shuffle=True, random_state=0)
    return GridSearchCV(model, grid, scoring="neg_root_mean_squared_error", cv=folds)


def _networks_of_classes() -> GridSearchCV:
    model = make_pipeline(StandardScaler(), MLPClassifier(max_iter=500, random_state=0))
    grid = {f"mlpclassifier__{key}": values for key, values in SETTINGS.items()}
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    return GridSearchCV(model, grid, scoring="neg_log_loss", cv=folds)


def _logistic() -> Any:
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    search = {"Cs": 17, "scoring": "neg_log_loss", "max_iter": 1000, "l1_ratios": (0,), "use_legacy_attributes": False}
    return make_pipeline(StandardScaler(), LogisticRegressionCV(cv=folds, **search))


REGRESSION: dict[str, Callable[[], Any]] = {
    LINEAR: lambda: make_pipeline(StandardScaler(), RidgeCV(np.logspace(-4, 4, 17))),
    BOOSTING: lambda: HistGradientBoostingRegressor(random_state=0),
    FOREST: lambda: RandomForestRegressor(500, random_state=0),
    GRID: _networks,
}
CLASSIFICATION: dict[str, Callable[[], Any]] = {
    LINEAR: _logistic,
    BOOSTING: lambda: HistGradientBoostingClassifier(random_state=0),
    FOREST: lambda: RandomForestClassifier(500, random_state=0),
    GRID: _networks_of_classes,
}


def measure(fold: Fold, name: str, number: int, kept: Path) -> dict[str, tuple[float, float]]:
    """Error and CPU seconds of each model on this split of a table, from the folder `kept` where they are there."""
    found = {}
    for model, make in (CLASSIFICATION if fold.is_of_classes else REGRESSION).items():
        path = kept / f"{name}-{number}-{model.replace(' ', '_')}-{fold.key(make())}.json"
        if not path.is_file():
            before = time.process_time()
            error = fold.error(_fitted(make(), fold))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps([error, time.process_time() - before]), encoding="utf-8")
        error, seconds = json.loads(path.read_text(encoding="utf-8"))
        found[model] = error, seconds
    return found


def _fitted(model: Any, fold: Fold) -> np.ndarray:
    """Predictions (n_test,), of classes probabilities (n_test, K), of a model fitted on one thread of each library."""
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(fold.fitted[fold.features].to_numpy(), fold.fitted[fold.target].to_numpy())
        predict = model.predict_proba if fold.is_of_classes else model.predict
        predicted: np.ndarray = predict(fold.test[fold.features].to_numpy())
    return predicted
