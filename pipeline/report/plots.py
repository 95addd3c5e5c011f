"""The figures of one sweep with their captions, chosen by what varies in it."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from shoal.pipeline import store
from shoal.pipeline.data.dataset import Dataset, Split
from shoal.pipeline.figures import curves, fits, heatmap, room, scores, style
from shoal.pipeline.figures.drawing import Drawing
from shoal.pipeline.hyperparameters import DURATIONS
from shoal.pipeline.report.claims.limits.sentences import is_sine
from shoal.pipeline.report.claims.wording import capital
from shoal.pipeline.report.document.blocks import Plot
from shoal.pipeline.report.results import SweepResults
from shoal.pipeline.statistics import axes
from shoal.pipeline.statistics.errors import best_first, cost_label


@lru_cache
def plots(results: SweepResults) -> list[Plot]:
    """All figures of a sweep: errors, fits or predictions, learning curves, input gradients, as far as they apply.

    Of classes no fits, predictions and input gradients.
    """
    found, is_numeric = [score_plot(results)], not results.dataset.classes
    if len(results.best) and is_numeric:
        found.append(fit_plot(results) if results.dataset.n_inputs == 1 else prediction_plot(results))
    if len(results.curves):
        found.append(curve_plot(results))
    if results.settings.architecture and results.dataset.n_inputs == 1 and len(results.best) and is_numeric:
        found.append(gradient_plot(results))
    return found


def score_plot(results: SweepResults) -> Plot:
    """Test error along the axes of the sweep, or of every network where there are none."""
    path = f"{results.name}/{results.task.error.metric('test')}"
    if not results.axes:
        drawn = room.few(results.cells, {"series": room.SERIES})
        networks = results.networks[results.networks["cell"].isin(drawn.cells["cell"])]
        caption = (
            f"{capital(results.error.label(results.error.judged))} of every network (points) and the median (line)"
        )
        caption += f"; black: {scores.marked(drawn.cells)}." if scores.has_intervals(drawn.cells) else "."
        caption += _zeros_marked(networks[[results.error.of(results.error.judged)]].to_numpy(np.float64))
        n = int(drawn.cells["n_networks"].max())
        caption += points_note(n, "networks of a column") + drawn.note
        return Plot(path, caption, Drawing(scores.replicates, networks, drawn.cells))
    x_axis, line_axis, held = scores.split_axes(results.axes)
    fixed = axes.Fixed.at_best(results.cells, held)
    cells, left_out = room.few(fixed.select(results.cells), scores.room_of(x_axis, line_axis))
    marks = scores.marks(cells)
    label = capital(results.error.label(results.error.judged))
    caption = f"{label} of the networks of a cell: {scores.marked(cells)}.{fixed.note}{left_out}"
    caption += _zeros_marked(marks[["centre", "low"]].to_numpy())
    if np.isinf(marks["high"]).any():
        caption += " An arrow: the upper end is a diverged network; a cross at the upper edge: the mark itself is one."
    return Plot(path, caption, Drawing(scores.scores, cells, results.axes))


def _zeros_marked(drawn: np.ndarray) -> str:
    """What stands for an error of 0, as the end of a caption; empty where none is drawn."""
    return " A triangle at the lower edge: an error of 0." if (drawn == 0).any() else ""


def heat_plot(results: SweepResults) -> Plot | None:
    """Median test error by activation and width, or by what varies instead; None where there is no such thing."""
    if not results.axes and results.cells["width"].isna().any():
        return None
    fixed = axes.Fixed.at_best(results.cells, scores.split_axes(results.axes)[2] if results.axes else [])
    cells, left_out = room.few(fixed.select(results.cells), heatmap.room_of(results.axes))
    caption = (
        f"Median {results.error.label(results.error.judged)}, a colour for its power of ten.{fixed.note}{left_out}"
    )
    return Plot(f"{results.name}/heat_map", caption, Drawing(heatmap.heat_map, cells, results.axes))


def fit_plot(results: SweepResults) -> Plot:
    """What the best network of each cell puts out over the one feature."""
    dataset = results.dataset
    cells, left_out = room.few(results.cells, {"series": room.SERIES})
    facets = axes.facets(cells, results.axes)
    shown = [cell for cell in facets.shown(cells)["cell"] if cell in results.best.index]
    outputs = {cell: results.predictor(cell).predict(dataset.grid.x) for cell in shown}
    drawing = Drawing(fits.fits, cells, facets, dataset.grid.x[:, 0], outputs, truth(dataset))
    smallest = f"the smallest {results.task.error.label('validation')}"
    caption = f"Fits: of each cell the replicate with {smallest}.{facets.note}{left_out}{targets_note(dataset)}"
    if not is_sine(dataset):
        caption += points_note(len(dataset.test.x), "test samples")
    return Plot(f"{results.name}/fits", caption, drawing)


def prediction_plot(results: SweepResults) -> Plot:
    """Predicted against true values of the test split, of the best network of the sweep."""
    dataset = results.dataset
    error = results.error
    cell = str(best_first(results.best).index[0])
    y_hat = results.predictor(cell).predict(results.trained_on(cell).test.x)
    drawing = Drawing(fits.predictions, dataset.test.y, y_hat, dataset.target_names)
    which = f"the network with the smallest {error.label('validation')} of the sweep ({cell})"
    caption = f"Test split, predicted against true: {which}."
    caption += targets_note(dataset) + points_note(len(dataset.test.x), "test samples")
    return Plot(f"{results.name}/predictions", caption, drawing)


@lru_cache
def curve_plot(results: SweepResults) -> Plot:
    """Learning curves; of cells that differ only in their number of steps, the longest."""
    found = [axis for axis in results.axes if axis not in DURATIONS]
    longest = results.cells.sort_values("steps", ascending=False, kind="stable")
    cells, left_out = room.few(longest.drop_duplicates(["series", *found]).sort_index(), {"series": room.SERIES})
    facets = axes.facets(cells, found)
    shown = facets.shown(cells)["cell"]
    validation = results.bands(shown, store.VALIDATION_COST) if results.is_validated else {}
    drawing = Drawing(curves.learning_curves, cells, facets, results.bands(shown), validation)
    drawn = cost_label(cells)
    if validation:
        held_out = "rows that a network's fold holds out" if results.dataset.folds else "validation split"
        drawn += f" (solid) and the same cost over the {held_out} (dashed)"
    caption = f"Learning curves: {drawn} against the step, median and quartile band over replicates.{facets.note}"
    caption += left_out
    if "stopped_step" in results.networks:
        caption += " A network that stopped early counts from then on with the last cost that it had."
    return Plot(f"{results.name}/learning_curves", caption, drawing)


def gradient_plot(results: SweepResults) -> Plot:
    """dC/dx of the best network of each architecture, by the backward pass and by central differences."""
    points, name = gradient_points(results.dataset), results.dataset.feature_names[0]
    cells, left_out = room.few(results.cells, {"series": room.SERIES})
    best = results.best_of_series["series"].loc[lambda series: series.isin(cells["series"])]
    gradients = {series: results.input_gradient(str(cell), points) for cell, series in best.items()}
    cost = f"C is the {results.cost_names} of one sample, whose target is fixed"
    caption = f"dC/d{name} of the best network of each architecture; {cost}."
    caption += points_note(len(points.x), "points") + left_out
    return Plot(f"{results.name}/input_gradient", caption, Drawing(fits.input_gradients, gradients, name))


def points_note(n: int, what: str, most: int = style.MOST_POINTS) -> str:
    """How many points are drawn, as the end of a caption; empty where all are."""
    drawn = len(style.thinned(n, most))
    return f" {drawn:,} of the {n:,} {what} are drawn, at even distances in their order." if drawn < n else ""


def targets_note(dataset: Dataset) -> str:
    """How many targets are drawn, as the end of a caption; empty where all are."""
    n = dataset.n_outputs
    return f" The first {fits.MOST_TARGETS} of {n} targets are shown." if n > fits.MOST_TARGETS else ""


def truth(dataset: Dataset) -> fits.Truth:
    """The target on the grid where it is known there, else the test samples."""
    known = is_sine(dataset)
    split = dataset.grid if known else dataset.test
    return fits.Truth(split.x[:, 0], split.y, known, dataset.feature_names[0], dataset.target_names)


def gradient_points(dataset: Dataset) -> Split:
    """Where input gradients are compared: the grid where targets are known there, else the test split in order of x."""
    if is_sine(dataset):
        return dataset.grid
    order = np.argsort(dataset.test.x[:, 0], kind="stable")
    return Split(dataset.test.x[order], dataset.test.y[order], dataset.test.rows[order])
