"""What training itself did: which networks diverged, and how often each saw the data."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.special import xlogy

from shoal.kernels.training.schedules import SCHEDULES
from shoal.pipeline.hyperparameters import DURATIONS
from shoal.pipeline.report.claims.wording import counted, level, listed, shortened
from shoal.pipeline.report.result_tables import number
from shoal.pipeline.report.results import SweepResults
from shoal.pipeline.statistics import axes


def divergence_sentences(results: SweepResults) -> list[str]:
    """When networks diverged, how many at which levels, and how many are finite but useless; empty if none are."""
    steps = results.networks["diverged_step"].dropna()
    sentences = _worse_than_constant(results)
    if len(steps):
        sentences = [f"Costs ceased to be finite {when(steps)}.", *divergence_counts(results), *sentences]
    if sentences and (duration := next((axis for axis in DURATIONS if axis in results.axes), "")):
        sentences += _trained_once(results, duration)
    return [" ".join(sentences)] if sentences else []


def all_diverged(sweeps: Sequence[SweepResults]) -> str:
    """That all networks of these sweeps diverged, and when."""
    networks = pd.concat([results.networks for results in sweeps])
    return f"All {counted(len(networks), 'network')} diverged, {when(networks['diverged_step'])}"


def when(steps: pd.Series) -> str:
    """At which steps networks diverged, from the first to the last of them."""
    first, last = int(steps.min()), int(steps.max())
    return f"at step {first}" if first == last else f"between steps {first} and {last}"


def _worse_than_constant(results: SweepResults) -> list[str]:
    """How many networks that did not diverge have a larger test error than the mean of the targets would."""
    networks = results.networks[results.networks["cell"].isin(longest(results)["cell"])]
    error, dataset = results.error, results.dataset
    finite = networks.loc[networks["status"] != "diverged", error.of("test")]
    shares = dataset.test.y.mean(axis=0)
    constant = (
        -xlogy(shares, shares).sum() if dataset.classes else (dataset.test.y / dataset.error_scale).var(axis=0).mean()
    )
    worse = finite[finite > constant]
    if worse.empty:
        return []
    text = f"{len(worse)} of the {len(finite)} networks that did not diverge {'has' if len(worse) == 1 else 'have'}"
    return [f"{text} a larger {error.label('test')} than the best constant output, up to {number(worse.max())}."]


def divergence_counts(results: SweepResults) -> list[str]:
    """How many networks diverged at each level, for every axis along which the share differs."""
    cells, sentences = longest(results), []
    for axis in ("series", *results.axes):
        counts = cells.groupby(axis, sort=False)[["n_diverged", "n_networks"]].sum()
        if axis not in DURATIONS and (counts["n_diverged"] / counts["n_networks"]).nunique() > 1:
            texts = [
                f"{row['n_diverged']} of {row['n_networks']} with {level(axis, axes.level_text(axis, at))}"
                for at, row in counts.iterrows()
            ]
            sentences.append(f"Diverged: {listed(shortened(texts))}.")
    return sentences


def longest(results: SweepResults) -> pd.DataFrame:
    """The cells, of those that differ only in their number of steps, and are trained once, the longest."""
    others = [axis for axis in results.axes if axis not in DURATIONS]
    cells = results.cells.sort_values("steps", ascending=False, kind="stable")
    is_another = cells[["series", *others]].assign(steps=cells["steps"].where(_apart(cells))).duplicated()
    return cells[~is_another].sort_index()


def _apart(cells: pd.DataFrame) -> pd.Series:
    """Whether those that differ in their number of steps are trained apart: what they do before depends on it."""
    return _depends_on_end(cells) | _keeps_best(cells)


def _depends_on_end(cells: pd.DataFrame) -> pd.Series:
    return cells["schedule"].isin([name for name, schedule in SCHEDULES.items() if schedule.depends_on_end])


def _keeps_best(cells: pd.DataFrame) -> pd.Series:
    return cells["keep"].eq("best")


def _trained_once(results: SweepResults, duration: str) -> list[str]:
    """What to say of networks that differ in their duration alone; nothing where all are trained apart."""
    cells = results.cells
    if _apart(cells).all():
        return []
    schedules = cells.loc[_depends_on_end(cells), "schedule"].unique()
    reasons = [f"their schedule is {listed(schedules)}"] if len(schedules) else []
    reasons += ["they keep their best parameters"] if _keeps_best(cells).any() else []
    but = f", unless {' or '.join(reasons)}" if reasons else ""
    return [f"Networks that differ in their number of {duration} alone are one network here, as in training{but}."]


def pass_sentences(results: SweepResults) -> list[str]:
    """How many passes over the training samples each batch size makes; empty where the batch size does not vary."""
    if "batch_size" not in results.axes:
        return []
    n = results.dataset.n_train
    cells = longest(results)
    parts = []
    for batch in axes.levels(cells, "batch_size"):
        steps = np.unique(cells.loc[cells["batch_size"] == batch, "steps"])
        passes = [f"{float(f'{number:.3g}'):,.10g}" for number in steps / math.ceil(n / min(batch, n))]
        parts.append(f"{listed(passes)} with {level('batch_size', axes.level_text('batch_size', batch))}")
    steps = np.unique(cells["steps"])
    taken = f"All take {counted(int(steps[0]), 'gradient step')}" if len(steps) == 1 else "They differ in their steps"
    seen = listed(shortened(parts))
    return [
        f"{taken}. How many times each of the {n:,} training samples is seen: {seen}. The arithmetic grows in "
        "that proportion."
    ]
