"""What the assignment's text has to compare with: its author's numbers, and a second implementation's."""

from __future__ import annotations

import numpy as np

from shoal.pipeline.hyperparameters import TRAINING
from shoal.pipeline.report.claims.limits.sentences import floor_of
from shoal.pipeline.report.claims.wording import factor, listed
from shoal.pipeline.report.document.blocks import Table
from shoal.pipeline.report.result_tables import number
from shoal.pipeline.report.results import SweepResults
from shoal.pipeline.statistics import axes
from shoal.pipeline.store import LATER_COLUMNS
from shoal.pipeline.tasks.regression import HALF_MSE

PRINTED = {"relu": 0.00074328, "linear": 0.12079632, "tanh": 0.00173546}
"""What the assignment's author printed."""

REFERENCE = {"relu": 0.0004086664854280885, "linear": 0.0967346963549225, "tanh": 0.0009913490262872169}
"""An independent float64 NumPy implementation of the assignment's settings."""

RATES, STEPS = {"relu": 0.02, "linear": 0.005, "tanh": 0.02}, 500
"""Those settings: learning rates and steps of full-batch gradient descent."""

CONVERGED = 1.001
"""A cost within this factor of the least possible one has converged."""


def is_own(results: SweepResults) -> bool:
    """Whether the sweep answers a part of the assignment, starts from its own numbers and has its cost."""
    return bool(results.part) and results.settings.init == "assignment-stream" and results.costs == [HALF_MSE]


def assignment_sentences(results: SweepResults) -> list[str]:
    """Replicate 0 against the reference and the author; empty for sweeps without the assignment's own networks."""
    if not is_own(results):
        return []
    costs = _first(results)
    sentences = [_agreement(costs), beside_author(results)] if _has_its_settings(results) else [_other_settings()]
    linear = [cost for name, cost in costs if name == "linear"]
    least = floor_of(results, "linear")
    if linear and least and PRINTED["linear"] > CONVERGED * least.cost:
        sentences.append(_not_converged(least.cost, min(linear)))
    return [" ".join(filter(None, sentences))]


def _first(results: SweepResults) -> list[tuple[str, float]]:
    """Activation and train cost of replicate 0 in each cell; infinite where it diverged."""
    first = results.networks[results.networks["replicate"] == 0]
    costs = first["train_cost"].astype("float64").fillna(np.inf)
    return list(zip(first["series"].astype(str), costs.tolist(), strict=True))


def _has_its_settings(results: SweepResults) -> bool:
    """Whether each activation is trained once, full batch, with the assignment's learning rate and steps, and with
    nothing that the assignment has not."""
    cells = results.cells
    same = cells["learning_rate"].eq(cells["series"].map(RATES)) & cells["steps"].eq(STEPS)
    same &= cells["batch_size"].eq(axes.FULL_BATCH) & cells["optimizer"].eq("gd")
    for name in LATER_COLUMNS:
        same &= cells[name].isna() | cells[name].eq(TRAINING[name].default)
    return bool(same.all())


def _other_settings() -> str:
    rates = listed([f"{rate} ({name})" for name, rate in RATES.items()])
    return (
        "The networks start from the assignment's numbers but are not trained with its settings (full-batch gradient "
        f"descent, {STEPS} steps, learning rates {rates}), so the costs need not agree."
    )


def _agreement(costs: list[tuple[str, float]]) -> str:
    worst = max(abs(cost / REFERENCE[name] - 1) for name, cost in costs)
    return (
        "Replicate 0 of each activation is the assignment's own network: its initial numbers, settings and data. An "
        "independent NumPy implementation in float64 gives the same costs up to a relative difference of "
        f"{number(worst, 1)}."
    )


def beside_author(results: SweepResults) -> str:
    """By which factors the author's printed costs are larger; empty for networks that are not the assignment's own."""
    if not is_own(results) or not _has_its_settings(results):
        return ""
    costs = _first(results)
    ratios = [f"{factor(PRINTED[name] / cost)} ({name})" for name, cost in costs if PRINTED[name] > cost]
    return f"The author's printed costs are larger than shoal's, by a factor of {listed(ratios)}." if ratios else ""


def _not_converged(least: float, reached: float) -> str:
    above = PRINTED["linear"] / least - 1
    text = (
        f"The author's linear network has {PRINTED['linear']}, {100 * above:.0f} % above the least cost of a straight "
        "line. As the cost of a linear network has no other local minimum, its training had not converged."
    )
    if reached <= CONVERGED * least:
        text += f" Here it has: the cost is the least one up to a relative {number(abs(reached / least - 1), 1)}."
    return text


def assignment_tables(results: SweepResults) -> list[Table]:
    """Replicate 0 of each activation beside the reference implementation's result and the author's, if it is theirs."""
    if not is_own(results):
        return []
    rows = [
        [name, f"{cost:.10f}" if np.isfinite(cost) else number(cost), f"{REFERENCE[name]:.10f}", f"{PRINTED[name]:.8f}"]
        for name, cost in _first(results)
    ]
    header = ["activation", "shoal", "independent NumPy", "printed by the author"]
    return [Table(f"The assignment's own networks (replicate 0): {HALF_MSE.label}", header, rows)]
