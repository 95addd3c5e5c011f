"""The first section: what was done, what came out, and the definitions that all numbers share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from shoal.pipeline.config.data_block import Splits
from shoal.pipeline.report.assignment.author import beside_author
from shoal.pipeline.report.claims.against_training import against_training
from shoal.pipeline.report.claims.divergence import all_diverged, divergence_counts
from shoal.pipeline.report.claims.findings import findings, is_untestable, strongest
from shoal.pipeline.report.claims.in_units import verdict
from shoal.pipeline.report.claims.trends import trend
from shoal.pipeline.report.claims.wording import MOST_TEXTS, counted, listed, shortened
from shoal.pipeline.report.document.blocks import Section
from shoal.pipeline.report.result_tables import number, summary_table
from shoal.pipeline.report.results import SweepResults
from shoal.pipeline.report.study import Study
from shoal.pipeline.statistics import ensembles
from shoal.pipeline.statistics.intervals import few_rows
from shoal.pipeline.statistics.resampled import scope
from shoal.pipeline.tasks.regression import HALF_MSE


def definitions(study: Study) -> str:
    """What the costs and the errors are, which of them decides, and what an interval is over."""
    test, error = study.error.label(study.error.judged), study.task.error
    relations = "".join(f"{cost.relation} " for cost in study.costs if cost.relation)
    law = "interval over splits" if study.dataset.folds else "BCa bootstrap interval"
    return (
        f"{_costs(study)} {error.name} = {error.formula} is what evaluation "
        f"reports; everything named train, validation or test {error.name} shows it. {relations}"
        f"{study.error.note}"
        f"The typical {test} of a cell is 10 to the power of the interquartile mean (the mean of the middle half) of "
        f"log₁₀ {test} over its networks; in brackets, the 95 % {law} of it. {scope(study.sweeps[0].cells)} A diverged "
        "network counts as infinite everywhere and is never left out."
    )


def _costs(study: Study) -> str:
    """What networks are trained on, sweep by sweep where that differs."""
    own = {HALF_MSE: " (the assignment's MSE)"} if study.is_assignment else {}
    (cost, _), *others = study.costs.items()
    if not others:
        return (
            f"{cost.name} = {cost.formula} is the cost that is differentiated, trained on and "
            f"recorded{own.get(cost, '')}; learning curves and columns named {cost.label} show it."
        )
    costs = [
        f"{cost.name} = {cost.formula}{own.get(cost, '')} (sweep{'s' * (len(names) > 1)} {listed(names)})"
        for cost, names in study.costs.items()
    ]
    return (
        f"Networks are trained on different costs, which are differentiated and recorded: {'; '.join(costs)}. Learning "
        "curves and columns named train and the name of a cost, or train cost where a sweep has several, show them. "
        "Different costs cannot be compared with each other; networks are, by their errors."
    )


CLAIMS = (
    "'Beats' is only said where a test over paired replicates holds it (see the sections of the sweeps). How medians "
    "change is a description, without a test."
)


def summary(study: Study) -> Section:
    """What was trained, the best network, a sentence on each sweep, and the table of the sweeps."""
    lines = [f"{_name(results)}: {headline(results, study.sweeps)}" for results in study.sweeps]
    table = summary_table(study.sweeps)
    found = f"{extent(study)} {chosen_sentence(study)}"
    paragraphs = [*about(study), *verdict(study), found, *lines, CLAIMS, *caveats(study)]
    return Section("Summary", [*paragraphs, table, definitions(study)])


def about(study: Study) -> list[str]:
    """What a table is, how its rows are used, and what is predicted of them; empty where the samples are made."""
    config, dataset = study.config.data, study.dataset
    if not config.is_table:
        return []
    last = "to test on" if dataset.is_tested else "to predict"
    uses = {"to train on": dataset.train, "to choose by": dataset.validation, last: dataset.test}
    if dataset.folds:
        both = f"to train on and to choose by, in {counted(len(dataset.folds), 'split')} by folds,"
        uses = {both: dataset.train, last: dataset.test}
    rows = [f"{len(split.x):,} {use}" for use, split in uses.items()]
    if dataset.calibration is not None:
        rows.insert(2, f"{len(dataset.calibration.x):,} for the intervals")
    names = dataset.target_names
    targets = listed(names if len(names) <= MOST_TEXTS else [*names[:MOST_TEXTS], f"{len(names) - MOST_TEXTS} more"])
    units = "in the unit of its column" if len(names) == 1 else "each in the unit of its column"
    if dataset.classes:
        units = f"one of {len(dataset.classes.names)} classes ({', '.join(shortened(dataset.classes.names))})"
    features = counted(len(dataset.feature_names), "feature")
    n = sum(len(split.x) for split in (*uses.values(), dataset.calibration) if split is not None)
    used = f"{counted(n, 'row')}, of which {listed(rows)}{_order(config.splits)}"
    return [f"{config.path or config.train}: {used}. Predicted is {targets}, {units}, from {features}."]


def _order(splits: Splits | None) -> str:
    """How rows come to their part, where that is not at random, as the end of a clause."""
    if splits is None or splits.kind in ("random", "kfold"):
        return ""
    if splits.kind == "group":
        return f", where rows of one {splits.column} stay together"
    return f", in the order of {splits.column}" if splits.column else ", in their order"


def caveats(study: Study) -> list[str]:
    """What has to be known before any of the numbers is believed."""
    return list(filter(None, [few_rows(len(study.dataset.test.x))]))


def headline(results: SweepResults, sweeps: Sequence[SweepResults]) -> str:
    """The main finding of a sweep in a sentence or two."""
    if results.all_diverged:
        return f"{all_diverged([results])}."
    against = next((block for block in against_training(results, sweeps) if isinstance(block, str)), "")
    if against or results.contrasts.empty:
        sentences = [against or _single(results)]
    elif is_untestable(results.contrasts):
        sentences = findings(results)
    else:
        trends = [text for axis in results.axes if (text := trend(results, axis))]
        sentences = trends or [strongest(results)]
    return " ".join(filter(None, [*sentences, beside_author(results), *divergence_counts(results)]))


def _name(results: SweepResults) -> str:
    return f"{results.part} (sweep {results.name})" if results.part else f"Sweep {results.name}"


def _single(results: SweepResults) -> str:
    """What to say of a sweep of one cell."""
    cell = results.cells.iloc[0]
    median, label = cell[f"{results.error.of(results.error.judged)}_median"], results.error.label(results.error.judged)
    said = f"has a median {label} of {number(median)}" if np.isfinite(median) else "typically diverges"
    return f"Its one cell, {cell['cell']}, {said}."


def extent(study: Study) -> str:
    """How many networks were trained, and what each part of the rows was for."""
    networks = sum(int(results.cells["n_networks"].sum()) for results in study.sweeps)
    cells = sum(len(results.cells) for results in study.sweeps)
    fitted, judged = "training split", "validation split"
    if study.dataset.folds:
        fitted, judged = "rows outside a fold", "rows inside (validation)"
    chosen = f" and chosen on the {judged}"
    if study.dataset.is_tested:
        chosen = f", chosen on the {judged} and reported on the test split"
    diverged = sum(int(results.cells["n_diverged"].sum()) for results in study.sweeps)
    return (
        f"{counted(networks, 'network')} in {counted(cells, 'cell')} of {counted(len(study.sweeps), 'sweep')} were "
        f"fitted on the {fitted}{chosen}; {diverged} of them diverged."
    )


def chosen_sentence(study: Study) -> str:
    """What was chosen, and what answers."""
    chosen, error = study.chosen, study.error
    if chosen is None:
        return f"{all_diverged(study.sweeps)}: there is none to predict with."
    split = "test" if study.dataset.is_tested else "validation"
    best = (
        f"The network with the smallest {error.label('validation')} of all is of cell {chosen['cell']} in sweep "
        f"{chosen['sweep']}; its {error.label(split)} is {number(chosen[error.metric(split)])}."
    )
    single = "" if study.dataset.folds else best
    return " ".join(filter(None, [single, ensembles.answers(chosen, error, number), ensembles.intervals(chosen)]))
