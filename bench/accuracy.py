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
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_diabetes
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from bench.__main__ import ROOT, machine
from bench.report import table as markdown
from shoal.pipeline.begin.texts import stem
from shoal.pipeline.data import readers
from shoal.pipeline.store import read_json

PAGE = ROOT / "docs" / "accuracy.md"
SHOAL, GRID = "shoal", "MLP grid"
INTRODUCTION = """# Accuracy

Written by `make accuracy`; nothing here is typed in. How far off predictions are for rows that nothing was trained or
chosen on: those of the study that `shoal init` writes, unedited, and those of scikit-learn's models, fitted to the same
rows. For each split the rows are put in another order, and the study's own split of them is that of all. `MLP grid` is
GridSearchCV over MLPRegressor (24 settings, five folds, inputs and target standardised), `forest` a random forest of
500 trees, `boosting` HistGradientBoostingRegressor as it is, `ridge` RidgeCV over standardised inputs. Rows `kept` are
those that the study makes its intervals of: no side has them. Ratios are of the root mean squared error on the test
rows to that of the MLP grid, geometric means over the splits, smaller is better; behind shoal's, in how many splits it
was below 1. CPU seconds are of all threads, means over the splits; shoal's are those of `shoal init`, `dvc repro
predict` and `shoal predict` with all that they import.
"""
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
    "forest": lambda: RandomForestRegressor(500, random_state=0),
    "boosting": lambda: HistGradientBoostingRegressor(random_state=0),
    "ridge": lambda: make_pipeline(StandardScaler(), RidgeCV(np.logspace(-4, 4, 17))),
}
NAMES = (SHOAL, *MODELS)


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
    with threadpool_limits(1):
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


def render(results: dict[str, list[dict[str, Any]]], wanted: int, facts: dict[str, str]) -> str:
    """The page."""
    done = {name: splits for name, splits in results.items() if splits}
    short = [f"{name}: {len(splits)} of {wanted} splits" for name, splits in done.items() if len(splits) < wanted]
    ratios, times = [], []
    for name, splits in done.items():
        first, n = splits[0], str(len(splits))
        kept = first["rows"] - first["fitted"] - first["test"]
        logs = {model: np.log([part["errors"][model] / part["errors"][GRID] for part in splits]) for model in NAMES}
        wins = f"{np.sum(logs[SHOAL] < 0)} of {n}"
        grid = f"{np.exp(np.mean(np.log([part['errors'][GRID] for part in splits]))):.4g}"
        means = {model: f"{np.exp(log.mean()):.3f}" for model, log in logs.items() if model != GRID}
        sizes = [str(number) for number in (first["rows"], first["features"], first["fitted"], kept, first["test"])]
        ratios.append([name, *sizes, n, grid, f"{means.pop(SHOAL)} ({wins})", *means.values()])
        seconds = [f"{np.mean([part['seconds'][model] for part in splits]):.1f}" for model in NAMES]
        times.append([name, *seconds])
    others = [model for model in MODELS if model != GRID]
    head = ["table", "rows", "features", "fitted to", "kept", "test", "splits", f"RMSE of {GRID}", SHOAL, *others]
    parts = [INTRODUCTION, markdown(["machine", ""], [[key, value] for key, value in facts.items()])]
    parts += [f"Not all was run: {'; '.join(short)}.\n"] if short else []
    parts += ["## Errors, as ratios\n", markdown(head, ratios)]
    return "\n".join([*parts, "## CPU seconds of a split\n", markdown(["table", *NAMES], times)])


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
