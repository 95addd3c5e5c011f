"""What each hyper-parameter of a sweep does to the error that cells are judged by, with intervals."""

from __future__ import annotations

import numpy as np

from shoal.pipeline.figures import room
from shoal.pipeline.report.claims.wording import capital
from shoal.pipeline.report.document.blocks import Block, Table
from shoal.pipeline.report.result_tables import MISSING, number
from shoal.pipeline.report.results import SweepResults
from shoal.pipeline.statistics import axes
from shoal.pipeline.statistics.cells import power
from shoal.pipeline.statistics.effects import Effect, effects
from shoal.pipeline.statistics.intervals import FEWEST


def effect_blocks(results: SweepResults, seed: int) -> list[Block]:
    """The table of all levels of what varies, beside those of the best cell; empty where nothing does."""
    cells, left_out = room.few(results.cells, dict.fromkeys(["series", *results.axes], room.COLUMNS))
    found = effects(cells, results.log10_errors, seed)
    if not found:
        return []
    label = results.error.label(results.error.judged)
    series = "architecture" if results.settings.architecture else "activation"
    text = (
        f"What each hyper-parameter does: the {label} at each of its levels over that at the level of the best cell "
        f"(by validation), all else equal. Above 1 the error is larger. {capital(_what(results))}"
    )
    names = axes.LABELS | {"series": series}
    rows = [[names[one.axis], one.level, *_entries(one)] for one in found]
    header = ["hyper-parameter", "level", f"ratio of {label}", "settings of all else"]
    return [text, Table(f"Effect of each hyper-parameter{_of(left_out)}", header, rows, 2)]


def _what(results: SweepResults) -> str:
    typical = "a ratio is the median over settings of all else, and typical of the replicates (interquartile mean)"
    if results.dataset.folds:
        return f"{typical}, in the mean over the splits; in brackets its 95 % interval, over splits."
    if results.cells["n_networks"].max() < FEWEST:
        return f"{typical}; with fewer than {FEWEST} replicates there are no intervals."
    return f"{typical}; in brackets its 95 % interval, over random starts."


def _of(left_out: str) -> str:
    return f". {left_out.strip().rstrip('.')}" if left_out else ""


def _entries(effect: Effect) -> list[str]:
    if effect.log10_ratio is None:
        return ["1, the best cell's", MISSING]
    ratio, *ends = (_ratio(value) for value in (effect.log10_ratio, effect.low, effect.high))
    return [ratio if np.isnan(effect.low) else f"{ratio}\n[{', '.join(ends)}]", str(effect.settings)]


def _ratio(log10: float) -> str:
    """A ratio in three digits; where it is far from 1, with its power of ten."""
    return f"{power(log10):#.3g}" if abs(log10) < 3 else number(power(log10))
