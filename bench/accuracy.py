"""`python -m bench.accuracy TABLE...`: predictions of the study that `shoal init` writes beside scikit-learn's.

TABLE is a file whose last column is the target, or `diabetes`, which scikit-learn has; all columns are numbers. For
each split the rows of the table are put in another order, and the study is made and run, unedited: its own split of
these rows is that of both sides. scikit-learn's models are fitted to what the study trains and validates on; both sides
predict for its test rows, and rows that the study keeps for intervals are lost to both. Written to docs/accuracy.md
after each split.
"""

from __future__ import annotations

import argparse
import csv
import os
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_diabetes
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from bench.__main__ import ROOT, machine
from bench.accuracy_page import BOOSTING, FOREST, GRID, RIDGE, SHOAL, render
from shoal.pipeline.begin.texts import stem
from shoal.pipeline.data import readers
from shoal.pipeline.store import read_json

PAGE = ROOT / "docs" / "accuracy.md"
PARAMETERS = {
    "regressor__mlpregressor__hidden_layer_sizes": [(64,), (64, 64)],
    "regressor__mlpregressor__activation": ["relu", "tanh"],
    "regressor__mlpregressor__alpha": [1e-4, 1e-2, 1.0],
    "regressor__mlpregressor__learning_rate_init": [1e-3, 1e-2],
}


class Fold:
    """The rows that models are fitted to, and those that they predict for: x (n, n_features), y (n,), by names."""

    def __init__(self, study: Path) -> None:
        settings = read_json(study / "data" / "data.json")
        parts = [pd.read_parquet(study / "data" / f"{name}.parquet") for name in ("train", "validation", "test")]
        self.features, [self.target] = settings["feature_names"], settings["target_names"]
        self.fitted, self.test = pd.concat(parts[:2], ignore_index=True), parts[2]

    def error(self, predicted: np.ndarray) -> float:
        """The root mean squared error of predictions (n_test,)."""
        return float(np.sqrt(np.mean((predicted - self.test[self.target].to_numpy()) ** 2)))


def _networks() -> GridSearchCV:
    network = make_pipeline(StandardScaler(), MLPRegressor(max_iter=500, random_state=0))
    model = TransformedTargetRegressor(network, transformer=StandardScaler())
    folds = KFold(5, shuffle=True, random_state=0)
    return GridSearchCV(model, PARAMETERS, scoring="neg_root_mean_squared_error", cv=folds)


MODELS: dict[str, Callable[[], Any]] = {
    GRID: _networks,
    FOREST: lambda: RandomForestRegressor(500, random_state=0),
    BOOSTING: lambda: HistGradientBoostingRegressor(random_state=0),
    RIDGE: lambda: make_pipeline(StandardScaler(), RidgeCV(np.logspace(-4, 4, 17))),
}


def split(columns: list[str], rows: list[tuple[str, ...]], number: int) -> dict[str, Any]:
    """Errors and CPU seconds of all models on one split of the rows, by their names; how many rows went where."""
    order = np.random.default_rng(number).permutation(len(rows))
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        _write(root / "t.csv", columns, [rows[i] for i in order])
        before = _children()
        _run(root, "shoal", "init", "t.csv", "study", "--target", columns[-1])
        _run(root / "study", "dvc", "repro", "--quiet", "predict")
        fold = Fold(root / "study")
        fold.test[fold.features].to_csv(root / "study" / "new.csv", index=False)
        _run(root / "study", "shoal", "predict", "new.csv", "--output", "out.csv")
        seconds = {SHOAL: _children() - before}
        predicted = pd.read_csv(root / "study" / "out.csv")[f"{fold.target}_predicted"]
    errors = {SHOAL: fold.error(predicted.to_numpy())}
    for name, model in MODELS.items():
        before = time.process_time()
        errors[name] = fold.error(_fitted(model(), fold))
        seconds[name] = time.process_time() - before
    sizes = {"rows": len(rows), "fitted": len(fold.fitted), "test": len(fold.test), "features": len(fold.features)}
    return {"errors": errors, "seconds": seconds, **sizes}


def _fitted(model: Any, fold: Fold) -> np.ndarray:
    """The predictions (n_test,) of a model of scikit-learn's, fitted on one thread of each library."""
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(fold.fitted[fold.features].to_numpy(), fold.fitted[fold.target].to_numpy())
        predicted: np.ndarray = model.predict(fold.test[fold.features].to_numpy())
    return predicted


def _write(path: Path, columns: list[str], rows: list[tuple[str, ...]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([columns, *rows])


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _run(folder: Path, *words: str) -> None:
    """A command as a user runs it; its own words are shown where it fails."""
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(words)}: {done.stdout}{done.stderr}")


def read(name: str) -> tuple[str, list[str], list[tuple[str, ...]]]:
    """A table: what to call it, its columns and its rows, each cell as its file has it."""
    if name == "diabetes":
        frame = load_diabetes(as_frame=True, scaled=False).frame
        return name, list(frame.columns), list(frame.astype(str).itertuples(index=False, name=None))
    table = readers.read(Path(), name, "")
    return stem(name), table.columns, list(zip(*table.content.to_pydict().values(), strict=True))


def main() -> None:
    """Measure split after split of every table, and write the page."""
    parser = argparse.ArgumentParser(prog="bench.accuracy", description=__doc__)
    parser.add_argument("tables", metavar="TABLE", nargs="+")
    parser.add_argument("--splits", type=int, default=10)
    words = parser.parse_args()
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    facts, results = machine(), dict[str, list[dict[str, Any]]]()
    for number in range(words.splits):
        for name, columns, rows in map(read, words.tables):
            results.setdefault(name, []).append(found := split(columns, rows, number))
            print(f"{name}, split {number + 1}: {found['errors']}", flush=True)
            PAGE.write_text(render(results, words.splits, facts), encoding="utf-8")


if __name__ == "__main__":
    main()
