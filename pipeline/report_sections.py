"""What the report says of a sweep, by what varies in it: its tables, figures and computed sentences."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from kernels.architecture import Architecture
from pipeline import axes, floors
from pipeline.data.dataset import Dataset, Split
from pipeline.figures import curves, fits, scores, style
from pipeline.result_tables import Table, by_series, cell_table, number, score_table
from pipeline.sweep_results import SweepResults

PRINTED = {"relu": 0.00074328, "linear": 0.12079632, "tanh": 0.00173546}
"""What the assignment's author printed."""

REFERENCE = {"relu": 0.0004086664854280885, "linear": 0.0967346963549225, "tanh": 0.0009913490262872169}
"""An independent float64 NumPy implementation of the assignment's settings."""


@dataclass(frozen=True, eq=False)
class Plot:
    """A figure with its caption, and the path of its files below the folder of figures, without their ending."""

    path: str
    caption: str
    figure: Figure

    @cached_property
    def svg(self) -> str:
        return style.svg(self.figure)

    @cached_property
    def png(self) -> bytes:
        return style.png(self.figure)


@dataclass
class Section:
    """A part of the report: paragraphs, then tables, then figures; `folded` tables are shown when opened."""

    title: str
    paragraphs: list[str] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    plots: list[Plot] = field(default_factory=list)
    folded: list[Table] = field(default_factory=list)


def sweep_section(results: SweepResults) -> Section:
    """The section of one sweep."""
    section = Section(f"Sweep {results.name}", [description(results), *_floor_sentences(results)])
    if results.settings.init == "assignment-stream":
        section.tables.append(assignment_table(results))
    section.tables += by_series(score_table(results))
    section.folded.append(cell_table(results.cells))
    section.plots.append(_score_plot(results))
    if len(results.best):
        section.plots.append(_fit_plot(results))
    if len(results.curves):
        section.plots.append(_curve_plot(results))
    if results.settings.architecture and len(results.best):
        points = gradient_points(results.dataset)
        section.tables.append(gradient_table(results, points))
        if results.dataset.n_features == 1:
            section.plots.append(_gradient_plot(results, points))
    return section


def description(results: SweepResults) -> str:
    """What varies in the sweep, what does not, how its networks are fitted, and how many diverged."""
    cells = results.cells
    kind = "architecture" if results.settings.architecture else "activation"
    varied = [f"{kind} ({', '.join(axes.series_of(cells))})"]
    varied += [f"{axes.LABELS[axis]} ({_listing(results, axis)})" for axis in results.axes]
    same = [text for axis in axes.LABELS if axis not in results.axes if (text := _constant(cells, axis))]
    how = {
        "gd": "trained by gradient descent on half_mse",
        "ridge": "hidden layers at their random start, the output layer fitted by ridge regression",
    }[results.settings.optimizer]
    counts = " or ".join(map(str, dict.fromkeys(cells["n_networks"])))
    text = f"{' × '.join(varied)}. Fixed: {'; '.join(same)}. {counts} networks in each cell, {how}."
    diverged, total = int(cells["n_diverged"].sum()), int(cells["n_networks"].sum())
    if diverged:
        text += f" {diverged} of {total} networks diverged; they count as infinite and are never dropped."
    return text[0].upper() + text[1:]


def _listing(results: SweepResults, axis: str) -> str:
    return ", ".join(axes.level_text(axis, level) for level in axes.levels(results.cells, axis))


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
    return f"{axes.LABELS[axis]} " + ", ".join(f"{axes.level_text(axis, level)} ({s})" for s, level in by_series.first().items())


def _floor_sentences(results: SweepResults) -> list[str]:
    """For networks that only combine known functions of x: the least cost they could reach, and what was reached."""
    sentences: dict[str, None] = {}
    line = floors.least_half_mse([()], results.dataset) if results.dataset.n_outputs == 1 else np.nan
    for _, cell in results.cells.iterrows():
        floor = floors.floor(Architecture.parse(cell["architecture"]), results.dataset)
        if floor is None:
            continue
        functions = " and ".join(floor.functions)
        text = f"Whatever its weights, {cell['series']} is a linear combination of a constant and {functions}"
        text += f"; by least squares its train half_mse cannot be below {floor.half_mse:.7g}"
        if floor.functions != ["x"]:
            text += f" (a straight line: {line:.7g})"
        sentences[text + "."] = None
    return list(sentences)


def assignment_table(results: SweepResults) -> Table:
    """Replicate 0 of each activation beside the author's printed result and the reference implementation's."""
    first = results.networks[results.networks["replicate"] == 0].set_index("series")["train_half_mse"]
    rows = [
        [
            name,
            f"{value:.8f}",
            f"{REFERENCE[name]:.8f}",
            f"{abs(value / REFERENCE[name] - 1):.1e}",
            f"{PRINTED[name]:.8f}",
        ]
        for name, value in first.items()
    ]
    header = ["activation", "shoal", "independent NumPy", "relative difference", "printed by the author"]
    return Table("the assignment's own networks (replicate 0): train half_mse, which it calls MSE", header, rows)


def _score_plot(results: SweepResults) -> Plot:
    if not results.axes:
        caption = "Test mse of every network (points) and the median (line)."
        return Plot(f"{results.name}/test_mse", caption, scores.replicates(results.networks))
    fixed = axes.at_best(results.cells, scores.split_axes(results.axes)[2])
    cells = results.cells
    for axis, level in fixed.items():
        cells = cells[cells[axis] == level]
    note = axes.Facets(None, None, [], [], fixed).note
    caption = f"Test mse, logarithmic: median over replicates, bars from the first to the third quartile.{note}"
    if np.isinf(cells["test_mse_q3"]).any():
        caption += " An arrow: the third quartile is a diverged network; a cross at the upper edge: the median is one."
    return Plot(f"{results.name}/test_mse", caption, scores.scores(cells, results.axes))


def _fit_plot(results: SweepResults) -> Plot:
    dataset = results.dataset
    if dataset.n_features > 1:
        cell = str(results.best["validation_mse"].idxmin())
        predicted = results.outputs(cell, dataset.test.x)
        caption = (
            f"Test split, predicted against true: {cell}, the network with the smallest validation mse of the sweep."
        )
        return Plot(
            f"{results.name}/predictions", caption, fits.predictions(dataset.test.y, predicted, dataset.target_names)
        )
    facets = axes.facets(results.cells, results.axes)
    shown = [
        cell
        for row in facets.rows
        for column in facets.columns
        for cell in facets.select(results.cells, row, column)["cell"]
    ]
    outputs = {cell: results.outputs(cell, dataset.grid.x) for cell in shown if cell in results.best.index}
    figure = fits.fits(results.cells, facets, dataset.grid.x[:, 0], outputs, truth(dataset))
    caption = f"Fits: of each cell the replicate with the smallest validation mse.{facets.note}"
    return Plot(f"{results.name}/fits", caption, figure)


def truth(dataset: Dataset) -> fits.Truth:
    """The target on the grid where it is known there, else the test samples."""
    known = bool(np.isfinite(dataset.grid.y).all())
    split = dataset.grid if known else dataset.test
    return fits.Truth(split.x[:, 0], split.y, known, dataset.feature_names[0], dataset.target_names)


def _curve_plot(results: SweepResults) -> Plot:
    found = [axis for axis in results.axes if axis != "steps"]
    longest = results.cells.sort_values("steps", ascending=False, kind="stable")
    cells = longest.drop_duplicates(["series", *found]).sort_index()
    facets = axes.facets(cells, found)
    shown = [
        cell for row in facets.rows for column in facets.columns for cell in facets.select(cells, row, column)["cell"]
    ]
    caption = "Learning curves: train half_mse against the step, median and quartile band over replicates."
    return Plot(
        f"{results.name}/learning_curves",
        caption + facets.note,
        curves.learning_curves(cells, facets, results.bands(shown)),
    )


def gradient_points(dataset: Dataset) -> Split:
    """Where input gradients are compared: the grid where targets are known there, else the test split by its x."""
    if np.isfinite(dataset.grid.y).all():
        return dataset.grid
    order = np.argsort(dataset.test.x[:, 0], kind="stable")
    return Split(dataset.test.x[order], dataset.test.y[order])


def gradient_table(results: SweepResults, points: Split) -> Table:
    """dC/dx of the best network of each series: the backward pass against central differences."""
    rows = []
    for cell, row in results.best_of_series.iterrows():
        gradient = results.input_gradient(str(cell), points)
        difference = np.abs(gradient.analytic - gradient.numerical).max()
        largest = np.abs(gradient.analytic).max()
        rows.append([row["series"], str(len(points.x)), number(largest), number(difference)])
    header = ["network", "points", "largest |dC/dx|", "largest difference"]
    caption = (
        f"dC/d{results.dataset.feature_names[0]} of each point's own half_mse, analytic against central differences"
    )
    return Table(caption, header, rows)


def _gradient_plot(results: SweepResults, points: Split) -> Plot:
    gradients = {
        row["series"]: results.input_gradient(str(cell), points) for cell, row in results.best_of_series.iterrows()
    }
    name = results.dataset.feature_names[0]
    caption = (
        f"dC/d{name}, where C = ½ Σ (y_hat - y)² is the half_mse of a single sample and its target y stays fixed: "
        "the best network of each architecture."
    )
    return Plot(f"{results.name}/input_gradient", caption, fits.input_gradients(gradients, name))
