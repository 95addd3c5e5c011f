"""What the networks of a sweep could reach at best, where that is known, beside what they reached."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pandas as pd

from shoal.kernels.network.architecture import Architecture
from shoal.pipeline.data.dataset import Dataset
from shoal.pipeline.hyperparameters import METHODS
from shoal.pipeline.report.claims.limits.linear import Floor, floor
from shoal.pipeline.report.claims.limits.piecewise import least_error
from shoal.pipeline.report.claims.wording import factor, listed
from shoal.pipeline.report.document.blocks import Table
from shoal.pipeline.report.result_tables import MISSING, number
from shoal.pipeline.report.results import SweepResults
from shoal.pipeline.statistics import axes
from shoal.pipeline.statistics.errors import best_first
from shoal.pipeline.tasks.regression import HALF_MSE

PIECES_HEADER = [
    "W",
    "least, W + 1 pieces",
    "least, W pieces",
    "median",
    "best by validation",
    "best / least, W pieces",
]
CLOSE = 1.0001
"""A cost within this factor of the least one is said to be there."""
MOST_UNITS = 500
"""The least error for more is too small for float64 to tell it from 0 exactly enough."""
KNOT_AT_ZERO = ("x", "relu(x)")


def floor_of(results: SweepResults, series: str) -> Floor | None:
    """The floor that all networks of a series share, if they have one."""
    texts = results.cells.loc[results.cells["series"] == series, "architecture"]
    found = {floor(Architecture.parse(text), results.dataset) for text in texts}
    return found.pop() if len(found) == 1 else None


def floor_sentences(results: SweepResults) -> list[str]:
    """Of networks that only combine known functions of x: the least cost they could reach, and what was reached.

    Empty where they are trained on another cost than that of least squares.
    """
    paragraphs: list[str] = []
    if results.costs != [HALF_MSE]:
        return paragraphs
    for series, cells in results.cells.groupby("series", sort=False):
        least = floor_of(results, str(series))
        if least:
            sentences = [_floor(results, str(series), least)]
            if least.functions == KNOT_AT_ZERO and is_sine(results.dataset):
                sentences.append(_knot_at_zero(least))
            paragraphs.append(" ".join([*sentences, _reached(cells, least)]))
    return paragraphs


def _floor(results: SweepResults, series: str, least: Floor) -> str:
    text = f"Whatever its weights, {series} only combines {listed(['a constant', *least.functions])}: by least squares "
    text += f"its {HALF_MSE.label} cannot be below {least.cost:.7g}"
    return f"{text}." if least.functions == ("x",) else f"{text}, where a straight line has {least.line_cost:.7g}."


def _knot_at_zero(least: Floor) -> str:
    """Why branches of relu(x) and relu(relu(x)) gain so little on sin."""
    return (
        "Its output is piecewise linear with one knot, which stays at x = 0 whatever is trained: relu(relu(x)) is "
        "relu(x), so a third branch adds nothing to the second. Over a straight line the knot gains "
        f"{100 * (1 - least.cost / least.line_cost):.2g} %. It can gain so little because relu(x) is "
        "(x + |x|)/2, which adds only the even function |x| to the line, and sin is odd."
    )


def _reached(cells: pd.DataFrame, least: Floor) -> str:
    """What the best network of a series has, and the median one of its best cell."""
    best, median = (float(cells[f"train_cost_{name}"].min()) for name in ("min", "median"))
    if not np.isfinite(best):
        return "All of its networks diverged."
    if median <= CLOSE * least.cost:
        return "The median network is within 0.01 % of that."
    return f"The best network is {_above(best, least.cost)}, the median one {_above(median, least.cost)}."


def _above(cost: float, least: float) -> str:
    if not np.isfinite(cost):
        return "infinitely far from that (it diverged)"
    if cost <= CLOSE * least:
        return "within 0.01 % of that"
    return f"{100 * (cost / least - 1):.3g} % above that" if least else f"at {number(cost)}"


def is_sine(dataset: Dataset) -> bool:
    """Whether the target is the built-in function, which is known everywhere."""
    return bool(np.isfinite(dataset.grid.y).all())


@lru_cache
def pieces_blocks(results: SweepResults) -> list[str | Table]:
    """One hidden layer of relu on sin: the least error at each width, and what was reached; empty for other sweeps."""
    is_layer = (results.cells["depth"] == 1) & (results.cells["series"] == "relu")
    cells = results.cells[is_layer & (results.cells["width"] <= MOST_UNITS)]
    if cells.empty or not is_sine(results.dataset):
        return []
    rows, error = [], results.error
    for width in axes.levels(cells, "width"):
        part = cells[cells["width"] == width]
        least, reachable = least_error(int(width)), least_error(int(width) - 1)
        best = results.best[results.best.index.isin(part["cell"])]
        ranked = best_first(best)[error.of("test")]
        reached = float(ranked.iloc[0]) if len(best) else np.inf
        above = factor(reached / reachable) if len(best) else MISSING
        median = float(part[f"{error.of('test')}_median"].min())
        rows.append([axes.level_text("width", width), *map(number, (least, reachable, median, reached)), above])
    name, label = results.task.error.name, results.task.error.label("test")
    caption = f"One hidden layer of relu: least {name} on x uniform on [-π, π], found numerically, beside the {label} "
    return [_pieces(results), Table(f"{caption}reached", PIECES_HEADER, rows)]


def _pieces(results: SweepResults) -> str:
    why = METHODS[results.settings.optimizer].limit
    return (
        "A network with one hidden layer of W relu units is continuous and piecewise linear with at most W + 1 pieces, "
        "and with W pieces it can be any such function: a unit for each of the W - 1 knots, and one for the slope. So "
        f"the least {results.task.error.name} of such functions, their knots placed freely, bounds the best network "
        "from below and above. "
        f"Where a network ends above the second bound, it is {why} that falls short, not the width."
    )
