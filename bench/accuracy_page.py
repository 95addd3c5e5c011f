"""docs/accuracy.md from what was measured."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.report import table

NAMES = SHOAL, GRID, FOREST, BOOSTING, RIDGE = "shoal", "MLP grid", "forest", "boosting", "ridge"
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


Split = dict[str, Any]
"""What was found on one split: `errors` and `seconds` by the names of models, and numbers of rows."""


def render(results: dict[str, list[Split]], wanted: int, facts: dict[str, str]) -> str:
    """The page of these tables, of which so many splits each were wanted."""
    short = [f"{name}: {len(splits)} of {wanted} splits" for name, splits in results.items() if len(splits) < wanted]
    others = [model for model in NAMES if model not in (GRID, SHOAL)]
    head = ["table", "rows", "features", "fitted to", "kept", "test", "splits", f"RMSE of {GRID}", SHOAL, *others]
    seconds = [[name, *_means(splits)] for name, splits in results.items()]
    parts = [INTRODUCTION, table(["machine", ""], [[key, value] for key, value in facts.items()])]
    parts += [f"Not all was run: {'; '.join(short)}.\n"] if short else []
    parts += ["## Errors, as ratios\n", table(head, [[name, *_ratios(splits)] for name, splits in results.items()])]
    return "\n".join([*parts, "## CPU seconds of a split\n", table(["table", *NAMES], seconds)])


def _ratios(splits: list[Split]) -> list[str]:
    """The cells of a table's row behind its name."""
    first = splits[0]
    kept = first["rows"] - first["fitted"] - first["test"]
    logs = {model: np.log([part["errors"][model] for part in splits]) for model in NAMES}
    ratios = {model: np.exp(np.mean(log - logs[GRID])) for model, log in logs.items() if model != GRID}
    wins = f"{ratios.pop(SHOAL):.3f} ({np.sum(logs[SHOAL] < logs[GRID])} of {len(splits)})"
    sizes = [first["rows"], first["features"], first["fitted"], kept, first["test"], len(splits)]
    return [*map(str, sizes), f"{np.exp(logs[GRID].mean()):.4g}", wins, *(f"{ratio:.3f}" for ratio in ratios.values())]


def _means(splits: list[Split]) -> list[str]:
    return [f"{np.mean([part['seconds'][model] for part in splits]):.1f}" for model in NAMES]
