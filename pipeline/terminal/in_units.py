"""What answers in a study of a user's table, and the best cells, in the targets' own units, beside the baselines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from shoal.pipeline import store
from shoal.pipeline.numbers import number
from shoal.pipeline.paths import Paths
from shoal.pipeline.statistics import quantile
from shoal.pipeline.statistics.errors import deciding, task_of
from shoal.pipeline.tasks import Measure
from shoal.pipeline.terminal.tables import TextColumn

MOST = 10
"""Cells that are shown."""
MOST_TARGETS = 8
ANSWER = "what answers"


class UnitsTable(NamedTuple):
    """A table for the terminal, and what stands above it."""

    title: str
    columns: list[TextColumn]


def in_units(paths: Paths, cells: pd.DataFrame, choice: Mapping[str, Any] | None) -> UnitsTable:
    """What answers by `choice` (chosen.json), the cells with the smallest median validation error among these, then the
    baselines; a column a target.

    Each number is what the task sums a target up by, on the test rows, of a cell the median over its replicates; of
    classes behind it what networks have beside their error. One network that answers alone has no row.
    """
    error, units = deciding(cells), task_of(cells).in_units
    best = cells.sort_values(f"{error.of('validation')}_median", kind="stable").head(MOST)
    networks, models = store.read_table(paths.networks), store.read_table(paths.baselines)
    alone = models[models["target"].notna()]
    every = list(alone["target"].unique())
    targets = every[:MOST_TARGETS]
    test, headline = task_of(cells).error.of("test"), units.headline
    columns = {target: test if len(every) == 1 else f"{test}_{target}" for target in targets}
    keys = list(zip(best["sweep"], best["cell"], strict=True))
    answering = (choice or {}).get("ensemble", {}).get("in_units", {})
    heads = [*([ANSWER] if answering else []), *("/".join(key) for key in keys), *units.baselines]
    shown = [TextColumn("by", heads, is_text=True)]
    for k, (target, column) in enumerate(columns.items()):
        members = networks.groupby(["sweep", "cell"])[column]
        of_cells = [units.headline_of(members.get_group(key).to_numpy(np.float64)) for key in keys]
        values = _answering(answering, target, headline) + [quantile(replicates, 0.5) for replicates in of_cells]
        values += list(alone.loc[alone["target"] == target, headline.of("test")])
        texts = ["-" if np.isnan(value) else number(value) for value in values]
        shown.append(TextColumn(headline.name if units.is_beside else target, texts, rank=len(targets) - k if k else 0))
    for measure in (measure for measure in units.measures if measure.of("test") in networks):
        column = measure.of("test")
        values = [*_answering(answering, targets[0], measure), *best[f"{column}_median"], *alone[column]]
        texts = ["-" if np.isnan(value) else f"{value:.3f}" for value in values]
        shown.append(TextColumn(measure.name, texts, rank=1))
    unit = headline.unit.format(target=targets[0] if len(every) == 1 else "each target")
    unit += f" (the first {len(targets)} of {len(every)})" if len(targets) < len(every) else ""
    numbers = f"{headline.name} on {store.count_rows(paths.data / 'test.parquet')} test rows"
    which = f"the {len(best)} best of {len(cells)} cells by {error.label('validation')}, median over replicates"
    which = f"{ANSWER}, and {which}" if answering else which
    return UnitsTable(f"{', '.join(filter(None, [numbers, unit]))}: {which}", shown)


def _answering(found: Mapping[str, Any], target: str, measure: Measure) -> list[float]:
    """A measure of what answers on the test rows, NaN where it is undefined; none where a network answers alone."""
    values = [found[target][measure.of("test")]] if found else []
    return [np.nan if value is None else value for value in values]
