"""The first section: what was done, what came out, and the definitions that all numbers share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.report.against_training import against_training
from pipeline.report.assignment import PARTS, beside_author
from pipeline.report.document import Section
from pipeline.report.findings import findings, is_untestable, strongest
from pipeline.report.results import SweepResults
from pipeline.report.study import Study
from pipeline.report.tables import number, summary_table
from pipeline.report.training import divergence_counts
from pipeline.report.trends import trend
from pipeline.report.wording import counted

DEFINITIONS = (
    "half_mse = (1/N) Σₙ ½ Σₖ (ŷ - y)² is the cost that is differentiated, trained on and recorded{assignment}; "
    "learning curves and columns named train half_mse show it. mse = 1/(N K) Σₙ Σₖ (ŷ - y)² is what evaluation "
    "reports; everything named train, validation or test mse shows it. For K outputs half_mse = K · mse / 2. "
    "The typical test mse of a cell is 10 to the power of the interquartile mean (the mean of the middle half) of "
    "log₁₀ test mse over its networks; in brackets, the 95 % BCa bootstrap interval of it. A diverged network counts "
    "as infinite everywhere and is never left out."
)
CLAIMS = (
    "'Beats' is only said where a test over paired replicates holds it (see the sections of the sweeps). How medians "
    "change is a description, without a test."
)


def definitions(study: Study) -> str:
    """What the errors are, and what is said of them."""
    return DEFINITIONS.format(assignment=" (the assignment's MSE)" if study.is_assignment else "")


def summary(study: Study) -> Section:
    """What was trained, the best network, a sentence on each sweep, and the table of the sweeps."""
    lines = [f"{_name(results, study.is_assignment)}: {headline(results, study.sweeps)}" for results in study.sweeps]
    table = summary_table(study.sweeps)
    return Section("Summary", [f"{_extent(study)} {_best(study)}", *lines, CLAIMS, table, definitions(study)])


def headline(results: SweepResults, sweeps: Sequence[SweepResults]) -> str:
    """The main finding of a sweep in a sentence or two."""
    against = next((block for block in against_training(results, sweeps) if isinstance(block, str)), "")
    if against or results.contrasts.empty:
        sentences = [against or _single(results)]
    elif is_untestable(results.contrasts):
        sentences = findings(results)
    else:
        trends = [text for axis in results.axes if (text := trend(results, axis))]
        sentences = trends or [strongest(results)]
    return " ".join(filter(None, [*sentences, beside_author(results), *divergence_counts(results)]))


def _name(results: SweepResults, is_assignment: bool) -> str:
    part = PARTS.get(f"Sweep {results.name}") if is_assignment else None
    return f"{part} (sweep {results.name})" if part else f"Sweep {results.name}"


def _single(results: SweepResults) -> str:
    """What to say of a sweep of one cell."""
    cell = results.cells.iloc[0]
    median = cell["test_mse_median"]
    said = f"has a median test mse of {number(median)}" if np.isfinite(median) else "typically diverges"
    return f"Its one cell, {cell['cell']}, {said}."


def _extent(study: Study) -> str:
    networks = sum(int(results.cells["n_networks"].sum()) for results in study.sweeps)
    cells = sum(len(results.cells) for results in study.sweeps)
    diverged = sum(int(results.cells["n_diverged"].sum()) for results in study.sweeps)
    return (
        f"{counted(networks, 'network')} in {counted(cells, 'cell')} of {counted(len(study.sweeps), 'sweep')} were "
        f"fitted on the training split, chosen on the validation split and reported on the test split; {diverged} of "
        "them diverged."
    )


def _best(study: Study) -> str:
    chosen = study.chosen
    return (
        f"The network with the smallest validation mse of all is of cell {chosen['cell']} in sweep {chosen['sweep']}; "
        f"its test mse is {number(chosen['test_mse'])}."
    )
