"""Ridge readouts of random hidden layers against trained networks of the same architecture, sweep against sweep."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import pandas as pd

from shoal.pipeline.hyperparameters import METHODS
from shoal.pipeline.report.claims.findings import MOST_PLACES, is_untestable
from shoal.pipeline.report.claims.wording import counted, factor, factors, is_exact, listed, places, ratios
from shoal.pipeline.report.document.blocks import Block, Folded, Table
from shoal.pipeline.report.result_tables import number
from shoal.pipeline.report.results import SweepResults
from shoal.pipeline.statistics import axes
from shoal.pipeline.statistics.contrasts import Contrast, contrast_table
from shoal.pipeline.statistics.resampled import Resampling
from shoal.pipeline.store import A_BEATS_B, B_BEATS_A, NOT_SHOWN

KEY = "ridge"
RIDGE = METHODS[KEY].name


def against_training(ridge: SweepResults, sweeps: Sequence[SweepResults]) -> list[Block]:
    """A paragraph and a folded table for every trained sweep that shares an architecture with a ridge sweep."""
    if ridge.settings.optimizer != KEY:
        return []
    return [block for trained in sweeps if trained.settings.optimizer != KEY for block in _against(ridge, trained)]


@lru_cache
def _against(ridge: SweepResults, trained: SweepResults) -> list[Block]:
    pairs = ridge.cells.merge(trained.cells, on="architecture", suffixes=("_ridge", ""))
    if pairs.empty:
        return []
    contrasts = compared(ridge, trained, pairs)
    return [_paragraph(ridge, trained, contrasts), Folded(_table(trained, pairs, contrasts))]


def compared(ridge: SweepResults, trained: SweepResults, pairs: pd.DataFrame) -> pd.DataFrame:
    """The paired tests of each pair of cells (a: ridge, b: trained), a family of their own, over shared replicates."""
    declared = [
        Contrast("optimizer", f"{row['cell_ridge']} ridge", row["cell"], KEY, trained.settings.optimizer)
        for _, row in pairs.iterrows()
    ]
    errors = ridge.log10_errors.add_suffix(" ridge").join(trained.log10_errors, how="inner")
    return contrast_table(trained.name, declared, errors, Resampling.of(trained.networks))


def _paragraph(ridge: SweepResults, trained: SweepResults, contrasts: pd.DataFrame) -> str:
    n, m = int(contrasts["n_pairs"].iloc[0]), len(contrasts)
    how, duration = METHODS[trained.settings.optimizer].name, trained.settings.duration
    length = listed([f"{level:,.0f}" for level in axes.levels(trained.cells, duration)])
    text = f"Against sweep {trained.name}, trained for {length} {duration}, at equal shape ("
    text += f"{counted(m, 'comparison')} over {counted(n, 'replicate')}): "
    if is_untestable(contrasts):
        return f"{text}with so few replicates neither {RIDGE} nor {how} could have been shown to beat the other."
    by_cell = trained.cells.set_index("cell")
    sides = {"a": ridge.cells.set_index(ridge.cells["cell"] + " ridge"), "b": by_cell}
    parts = []
    for verdict, better, worse, order, sign in ((A_BEATS_B, RIDGE, how, "ab", -1), (B_BEATS_A, how, RIDGE, "ba", 1)):
        held = contrasts[contrasts["verdict"] == verdict]
        if len(held):
            smaller, larger = (sides[side].loc[held[side]] for side in order)
            exact = is_exact(smaller, larger, trained.error)
            size = factors(ratios(sign * held["log10_ratio"].to_numpy(np.float64)), exact)
            where = _where(trained, by_cell.loc[held["b"]]) if len(held) < m else ""
            share = f"in {len(held)}" if len(held) < m else "in all"
            parts.append(f"{better} beats {worse} {share}{where}{size}")
    if n_unshown := int((contrasts["verdict"] == NOT_SHOWN).sum()):
        parts.append(f"nothing is shown in {n_unshown if parts else 'any'}")
    return f"{text}{'; '.join(parts)}."


def _where(trained: SweepResults, cells: pd.DataFrame) -> str:
    return f" ({places(['series', *trained.axes], cells)})" if len(cells) <= MOST_PLACES else ""


def _table(trained: SweepResults, pairs: pd.DataFrame, contrasts: pd.DataFrame) -> Table:
    judged = trained.error.judged
    median, label = f"{trained.error.of(judged)}_median", trained.error.label(judged)
    rows = [
        [
            row["cell_ridge"],
            row["cell"],
            number(row[f"{median}_ridge"]),
            number(row[median]),
            _ratio(ratio),
            said,
        ]
        for (_, row), ratio, said in zip(pairs.iterrows(), contrasts["log10_ratio"], _said(contrasts), strict=True)
    ]
    header = ["ridge", "trained", f"ridge, median {label}", f"trained, median {label}", "typical trained / ridge"]
    return Table(f"Ridge regression against sweep {trained.name} at equal shape", [*header, "shown"], rows, 2)


def _ratio(log10_ratio: float) -> str:
    value = float(ratios(-log10_ratio))
    return "infinite" if np.isinf(value) else factor(value) if value >= 1 else number(value)


def _said(contrasts: pd.DataFrame) -> list[str]:
    return [
        {A_BEATS_B: "ridge beats trained", B_BEATS_A: "trained beats ridge"}.get(v, v) for v in contrasts["verdict"]
    ]
