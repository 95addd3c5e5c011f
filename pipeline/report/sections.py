"""What the report says of a sweep, by what varies in it: computed sentences, tables and figures."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kernels.architecture import Architecture
from pipeline import axes
from pipeline.report.document import Block, Folded, Section
from pipeline.report.findings import contrast_table, findings
from pipeline.report.floors import Floor, floor
from pipeline.report.plots import gradient_points, plots
from pipeline.report.results import SweepResults
from pipeline.report.tables import Table, by_series, cell_table, number, score_table

PRINTED = {"relu": 0.00074328, "linear": 0.12079632, "tanh": 0.00173546}
"""What the assignment's author printed."""

REFERENCE = {"relu": 0.0004086664854280885, "linear": 0.0967346963549225, "tanh": 0.0009913490262872169}
"""An independent float64 NumPy implementation of the assignment's settings."""


def sweep_section(results: SweepResults) -> Section:
    """The section of one sweep."""
    blocks: list[Block] = [description(results), *floor_sentences(results), *findings(results)]
    if results.settings.init == "assignment-stream":
        blocks.append(assignment_table(results))
    blocks += by_series(score_table(results))
    if results.settings.architecture and len(results.best):
        blocks.append(gradient_table(results))
    blocks += plots(results)
    blocks.append(Folded(cell_table(results.cells)))
    if len(results.contrasts):
        blocks.append(Folded(contrast_table(results.contrasts)))
    return Section(f"Sweep {results.name}", blocks)


def description(results: SweepResults) -> str:
    """What varies in the sweep, what does not, how its networks are fitted, and how many diverged."""
    cells = results.cells
    kind = "Architecture" if results.settings.architecture else "Activation"
    varied = [f"{kind} ({', '.join(axes.series_of(cells))})"]
    for axis in results.axes:
        texts = [axes.level_text(axis, level) for level in axes.levels(cells, axis)]
        varied.append(f"{axes.LABELS[axis]} ({', '.join(texts)})")
    same = [text for axis in axes.LABELS if axis not in results.axes if (text := _constant(cells, axis))]
    fixed = f" Fixed: {'; '.join(same)}." if same else ""
    counts = " or ".join(map(str, dict.fromkeys(cells["n_networks"])))
    how = {
        "gd": "trained by gradient descent on half_mse",
        "adam": "trained by Adam on half_mse",
        "ridge": "hidden layers at their random start, the output layer fitted by ridge regression",
    }[results.settings.optimizer]
    text = f"{' × '.join(varied)}.{fixed} Networks in each cell: {counts}; {how}."
    if diverged := int(cells["n_diverged"].sum()):
        text += f" {diverged} of {int(cells['n_networks'].sum())} networks diverged; they count as infinite errors."
    return text


def _constant(cells: pd.DataFrame, axis: str) -> str:
    """The level of an axis that all cells share, or that each series has; empty where there is neither."""
    values = cells[axis]
    if axis == "hidden_sizes" or values.isna().any():
        return ""
    if values.nunique() == 1:
        return f"{axes.LABELS[axis]} {axes.level_text(axis, values.iloc[0])}"
    by_series = cells.groupby("series", sort=False)[axis]
    if by_series.nunique().max() > 1:
        return ""
    texts = [f"{axes.level_text(axis, level)} ({series})" for series, level in by_series.first().items()]
    return f"{axes.LABELS[axis]} {', '.join(texts)}"


def floor_sentences(results: SweepResults) -> list[str]:
    """Of networks that only combine known functions of x: the least cost they could reach, and what was reached."""
    sentences = []
    for series, cells in results.cells.groupby("series", sort=False):
        found = {floor(Architecture.parse(text), results.dataset) for text in cells["architecture"]}
        least = found.pop() if len(found) == 1 else None
        if least:
            sentences.append(_floor_sentence(str(series), least, float(cells["train_half_mse_min"].min())))
            printed = PRINTED[str(series)] if results.settings.init == "assignment-stream" else 0.0
            if printed > 1.001 * least.half_mse:
                sentences.append(f"The author's result, {printed}, lies above it: that network had not converged.")
    return sentences


def _floor_sentence(series: str, least: Floor, reached: float) -> str:
    listed = " and ".join([", ".join(["a constant", *least.functions[:-1]]), least.functions[-1]])
    text = (
        f"Whatever its weights, {series} only combines {listed}: by least squares its train half_mse cannot be below "
    )
    text += f"{least.half_mse:.7g}"
    if least.functions != ("x",):
        text += f", where a straight line reaches {least.line_half_mse:.7g}"
    return f"{text}. The best network here has {reached:.7g}."


def assignment_table(results: SweepResults) -> Table:
    """Replicate 0 of each activation beside the reference implementation's result and the author's."""
    first = results.networks[results.networks["replicate"] == 0]
    pairs = zip(first["series"], first["train_half_mse"], strict=True)
    rows = [[name, f"{cost:.10f}", f"{REFERENCE[name]:.10f}", f"{PRINTED[name]:.8f}"] for name, cost in pairs]
    header = ["activation", "shoal", "independent NumPy", "printed by the author"]
    return Table("The assignment's own networks (replicate 0): train half_mse", header, rows)


def gradient_table(results: SweepResults) -> Table:
    """dC/dx of the best network of each series: the backward pass against central differences."""
    points = gradient_points(results.dataset)
    rows = []
    for cell, series in results.best_of_series["series"].items():
        gradient = results.input_gradient(str(cell), points)
        largest, difference = np.abs(gradient.analytic), np.abs(gradient.analytic - gradient.numerical)
        rows.append([str(series), str(len(points.x)), number(largest.max()), number(difference.max(), 1)])
    name = results.dataset.feature_names[0]
    header = ["network", "points", f"largest |dC/d{name}|", "largest difference"]
    return Table(f"dC/d{name} of single samples: backward pass against central differences", header, rows)
