"""What training itself did: which networks diverged, and how often each saw the data."""

from __future__ import annotations

import math

import pandas as pd

from pipeline import axes
from pipeline.report.results import SweepResults
from pipeline.report.wording import counted, level, listed


def divergence_sentences(results: SweepResults) -> list[str]:
    """How many networks diverged at each level of the axes along which that differs, and when; empty if none did."""
    cells = longest(results)
    if not cells["n_diverged"].sum():
        return []
    steps = results.networks["diverged_step"].dropna()
    first, last = int(steps.min()), int(steps.max())
    when = f"at step {first}" if first == last else f"between steps {first} and {last}"
    sentences = [f"Costs ceased to be finite {when}."]
    for axis in ("series", *results.axes):
        counts = cells.groupby(axis, sort=False)[["n_diverged", "n_networks"]].sum()
        if axis != "steps" and (counts["n_diverged"] / counts["n_networks"]).nunique() > 1:
            texts = [
                f"{row['n_diverged']} of {row['n_networks']} with {level(axis, axes.level_text(axis, at))}"
                for at, row in counts.iterrows()
            ]
            sentences.append(f"Diverged: {listed(texts)}.")
    if "steps" in results.axes:
        sentences.append("Networks that differ in their number of steps alone are one network here, as in training.")
    return [" ".join(sentences)]


def longest(results: SweepResults) -> pd.DataFrame:
    """The cells, of those that differ only in their number of steps the longest."""
    others = [axis for axis in results.axes if axis != "steps"]
    cells = results.cells.sort_values("steps", ascending=False, kind="stable")
    return cells.drop_duplicates(["series", *others]).sort_index()


def pass_sentences(results: SweepResults) -> list[str]:
    """How many passes over the training samples each batch size makes; empty where the batch size does not vary."""
    if "batch_size" not in results.axes:
        return []
    n = len(results.dataset.train.x)
    cells = longest(results)
    parts = []
    for batch, part in cells.groupby("batch_size"):
        passes = [steps / math.ceil(n / min(batch, n)) for steps in sorted(set(part["steps"]))]
        times = listed([f"{float(f'{number:.3g}'):,.10g}" for number in passes])
        parts.append(f"{times} with {level('batch_size', axes.level_text('batch_size', batch))}")
    steps = set(cells["steps"])
    taken = (
        f"All take {counted(int(steps.pop()), 'gradient step')}" if len(steps) == 1 else "They differ in their steps"
    )
    return [
        f"{taken}. How many times each of the {n:,} training samples is seen: {listed(parts)}. The arithmetic grows in "
        "that proportion."
    ]
