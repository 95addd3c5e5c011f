"""What the report says of a sweep, by what varies in it: computed sentences, tables and figures."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import pandas as pd

from shoal.pipeline.hyperparameters import METHODS, TRAINING
from shoal.pipeline.report.assignment.author import assignment_sentences, assignment_tables
from shoal.pipeline.report.assignment.setting import network_plots
from shoal.pipeline.report.claims.against_training import against_training
from shoal.pipeline.report.claims.divergence import divergence_sentences, pass_sentences
from shoal.pipeline.report.claims.findings import contrast_table, findings
from shoal.pipeline.report.claims.limits.sentences import floor_sentences, pieces_blocks
from shoal.pipeline.report.claims.stopping import stopping_sentences
from shoal.pipeline.report.claims.wording import shortened
from shoal.pipeline.report.document.blocks import Block, Folded, Plot, Section, Table
from shoal.pipeline.report.plots import gradient_points, plots
from shoal.pipeline.report.result_tables import MOST_ROWS, by_series, cell_table, number, score_table
from shoal.pipeline.report.results import SweepResults
from shoal.pipeline.statistics import axes

GRADIENTS = (
    "The derivative of the error with respect to the input, for the best network of each architecture: C is the {cost} "
    "of a single sample, whose target stays fixed while x moves."
)


def sweep_section(results: SweepResults, sweeps: Sequence[SweepResults]) -> Section:
    """The section of one sweep; `sweeps` are all of the study, which a ridge sweep is compared with."""
    blocks: list[Block] = [description(results), *network_plots(results), *sentences(results)]
    blocks += [*assignment_tables(results), *by_series(score_table(results))]
    blocks += [*pieces_blocks(results), *against_training(results, sweeps)]
    if results.settings.architecture and len(results.best) and not results.dataset.classes:
        blocks += [GRADIENTS.format(cost=results.cost_names), gradient_table(results)]
    blocks += plots(results)
    blocks.append(Folded(cell_table(results)))
    if len(results.contrasts):
        blocks.append(Folded(contrast_table(results)))
    return Section(f"Sweep {results.name}", blocks, results.part)


def sweep_plots(results: SweepResults) -> list[Plot]:
    """The figures of this section, in their order."""
    return [*network_plots(results), *plots(results)]


@lru_cache  # the report and docs/results.md say it both
def sentences(results: SweepResults) -> list[str]:
    """What the results of a sweep show, a paragraph for each question that the sweep answers."""
    return [
        *floor_sentences(results),
        *assignment_sentences(results),
        *divergence_sentences(results),
        *pass_sentences(results),
        *findings(results),
    ]


@lru_cache
def description(results: SweepResults) -> str:
    """What varies in the sweep, what does not, how its networks are fitted, and how many diverged."""
    cells = results.cells
    kind = "architecture" if results.settings.architecture else "activation"
    varied = [f"{kind} ({', '.join(shortened(axes.series_of(cells)))})"]
    for axis in results.axes:
        texts = [axes.level_text(axis, level) for level in axes.levels(cells, axis)]
        varied.append(f"{axes.LABELS[axis]} ({', '.join(shortened(texts))})")
    same = [text for axis in axes.LABELS if axis not in results.axes if (text := _constant(cells, axis))]
    fixed = f" Fixed: {'; '.join(same)}." if same else ""
    counts = " or ".join(map(str, dict.fromkeys(cells["n_networks"])))
    how = METHODS[results.settings.optimizer].how.format(cost=results.cost_names)
    text = f"Varied: {' × '.join(varied)}.{fixed} Networks in each cell: {counts}, {how}."
    if diverged := int(cells["n_diverged"].sum()):
        text += f" {diverged} of {int(cells['n_networks'].sum())} networks diverged; they count as infinite errors."
    return " ".join([text, *stopping_sentences(results)])


def _constant(cells: pd.DataFrame, axis: str) -> str:
    """The level of an axis that all cells share, or that each series has; empty where there is neither."""
    cells = cells[["series", axis]]
    if axis in TRAINING:
        cells = cells[cells[axis].notna()]  # what only some schedules take
    values = cells[axis]
    if axis == "hidden_sizes" or values.empty or values.isna().any():
        return ""
    if values.nunique() == 1:
        return f"{axes.LABELS[axis]} {axes.level_text(axis, values.iloc[0])}"
    by_series = cells.groupby("series", sort=False)[axis]
    if by_series.nunique().max() > 1:
        return ""
    texts = [f"{axes.level_text(axis, level)} ({series})" for series, level in by_series.first().items()]
    return f"{axes.LABELS[axis]} {', '.join(shortened(texts))}"


def gradient_table(results: SweepResults) -> Table:
    """dC/dx of the best network of each series: the backward pass against central differences."""
    points = gradient_points(results.dataset)
    rows = []
    for cell, series in results.best_of_series["series"].head(MOST_ROWS).items():
        gradient = results.input_gradient(str(cell), points)
        largest, difference = np.abs(gradient.analytic), np.abs(gradient.analytic - gradient.numerical)
        rows.append([str(series), str(len(points.x)), number(largest.max()), number(difference.max(), 1)])
    name = results.dataset.preparation.inputs[0]
    header = ["network", "points", f"largest |dC/d{name}|", "largest difference"]
    return Table(f"dC/d{name} of single samples: backward pass against central differences", header, rows)
