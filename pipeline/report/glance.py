"""The study in one figure, for the README: the errors of one sweep along its axes, and fits of another."""

from __future__ import annotations

from collections.abc import Sequence

from shoal.pipeline.figures import room, scores
from shoal.pipeline.figures.drawing import Drawing
from shoal.pipeline.figures.glance import Fits, glance
from shoal.pipeline.report.claims.wording import capital
from shoal.pipeline.report.plots import truth
from shoal.pipeline.report.results import SweepResults
from shoal.pipeline.statistics import axes


def at_a_glance(sweeps: Sequence[SweepResults]) -> Drawing:
    """Errors of the sweep with most axes (width before others), fits of the one with fewest; made of what there is."""
    varied = max(sweeps, key=lambda results: ("width" in results.axes, len(results.axes)))
    plain = min(sweeps, key=lambda results: len(results.axes))
    if not varied.axes:
        cells = room.few(varied.cells, {"series": room.SERIES}).cells
        return Drawing(scores.replicates, varied.networks[varied.networks["cell"].isin(cells["cell"])], cells)
    count = int(varied.cells["n_networks"].max())
    along = " and ".join(axes.LABELS[axis] for axis in scores.split_axes(varied.axes)[:2] if axis)
    words = scores.marked(varied.cells)
    what = capital(varied.error.label(varied.error.judged))
    title = f"{what} by {along}: {words} of {count} networks a point (sweep {varied.name})"
    x_axis, line_axis, held = scores.split_axes(varied.axes)
    fixed = axes.Fixed.at_best(varied.cells, held)
    cells = room.few(fixed.select(varied.cells), scores.room_of(x_axis, line_axis, room.AT_A_GLANCE)).cells
    return Drawing(glance, cells, varied.axes, title, _fits(plain))


def _fits(results: SweepResults) -> Fits | None:
    """Fits of the best network of each series, for one feature and targets that are numbers."""
    dataset = results.dataset
    if dataset.n_inputs > 1 or dataset.classes or not len(results.best):
        return None
    few = room.few(results.cells, {"series": room.AT_A_GLANCE}).cells
    best = results.best_of_series.loc[lambda networks: networks["series"].isin(few["series"])]
    cells = results.cells.set_index("cell", drop=False).loc[best.index]
    outputs = {str(cell): results.predictor(str(cell)).predict(dataset.grid.x) for cell in best.index}
    return Fits(f"fits (sweep {results.name})", cells, dataset.grid.x[:, 0], outputs, truth(dataset))
