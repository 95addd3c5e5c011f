"""docs/accuracy.md from what was measured."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.report import table

NAMES = SHOAL, GRID, FOREST, BOOSTING, LINEAR = "shoal", "MLP grid", "forest", "boosting", "linear"
AIMS = 1.01, 0.97
"""Ratios that the page counts tables by."""
INTRODUCTION = """# Accuracy

Written by `make accuracy`; nothing here is typed in. How far off predictions are for rows that nothing was trained or
chosen on: those of the study that `shoal init` writes, unedited, and those of scikit-learn's models, fitted to the
same rows (all that the study trains and validates on). For each split the rows are put in another order, and the
study's own split of them is that of all. The error is the root mean squared one, of classes the log loss, with
probabilities clipped to [2.2e-16, 1 - 2.2e-16]. `MLP grid` is GridSearchCV over MLPRegressor or MLPClassifier (24
settings: one or two layers of 64 units, relu or tanh, alpha 1e-4, 1e-2 or 1, learning rate 1e-3 or 1e-2; 500 epochs
at most, five folds; inputs and numeric targets standardised), `forest` a random forest of 500 trees, `boosting`
HistGradientBoosting as it is, `linear` RidgeCV or LogisticRegressionCV over standardised inputs. Rows `kept` are
those that the study makes its intervals of: no side has them. Ratios are of the error on the test rows to that of the
MLP grid, geometric means over the splits, smaller is better; behind shoal's, in how many splits it was below 1. CPU
seconds are of all threads, means over the splits; shoal's are those of `shoal init`, `dvc repro predict` and `shoal
predict` with all that they import. The rule for what is trained was made on other splits (numbers from 100 on); of
those here, the first of each table but digits had been seen with the rule before it, whose networks of classes were
too sure of themselves.
"""


Split = dict[str, Any]
"""What was found on one split: `errors` and `seconds` by the names of models, what they are, and numbers of rows."""


def render(results: dict[str, list[Split]], wanted: int, facts: dict[str, str]) -> str:
    """The page of these tables, of which so many splits each were wanted; some may have none yet."""
    short = [f"{name}: {len(splits)} of {wanted} splits" for name, splits in results.items() if len(splits) < wanted]
    results = {name: splits for name, splits in results.items() if splits}
    others = [model for model in NAMES if model not in (GRID, SHOAL)]
    head = ["table", "rows", "features", "fitted to", "kept", "test", "splits", "error", f"of {GRID}", SHOAL, *others]
    seconds = [[name, *_means(splits)] for name, splits in results.items()]
    ratios = np.array([_ratio(splits, SHOAL) for splits in results.values()])
    aims = " and ".join(f"at most {most:g} on {np.sum(ratios <= most)}" for most in AIMS)
    parts = [INTRODUCTION, table(["machine", ""], [[key, value] for key, value in facts.items()])]
    parts += [f"Not all was run: {'; '.join(short)}.\n"] if short else []
    parts += [f"Of these {len(ratios)} tables, shoal's ratio is {aims}.\n"]
    parts += ["## Errors, as ratios\n", table(head, [[name, *_ratios(splits)] for name, splits in results.items()])]
    return "\n".join([*parts, "## CPU seconds of a split\n", table(["table", *NAMES], seconds)])


def _ratio(splits: list[Split], model: str) -> float:
    """The geometric mean over the splits of a model's error to that of the grid."""
    return float(np.exp(np.mean([np.log(part["errors"][model] / part["errors"][GRID]) for part in splits])))


def _ratios(splits: list[Split]) -> list[str]:
    """The cells of a table's row behind its name."""
    first = splits[0]
    kept = first["rows"] - first["fitted"] - first["test"]
    sizes = [first["rows"], first["features"], first["fitted"], kept, first["test"], len(splits)]
    grid = np.exp(np.mean([np.log(part["errors"][GRID]) for part in splits]))
    ratios = {model: f"{_ratio(splits, model):.3f}" for model in NAMES if model != GRID}
    ratios[SHOAL] += f" ({sum(part['errors'][SHOAL] < part['errors'][GRID] for part in splits)} of {len(splits)})"
    kind = "log loss" if first["is_of_classes"] else "RMSE"
    return [*map(str, sizes), kind, f"{grid:.4g}", *ratios.values()]


def _means(splits: list[Split]) -> list[str]:
    return [f"{np.mean([part['seconds'][model] for part in splits]):.1f}" for model in NAMES]
