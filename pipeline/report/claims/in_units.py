"""How well the chosen network predicts each target, in the target's own unit, and whether it beats the baselines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import pandas as pd

from shoal.pipeline.baselines import BASELINES, of_task
from shoal.pipeline.numbers import number
from shoal.pipeline.report.claims.wording import capital, counted, listed
from shoal.pipeline.report.document.blocks import Block, Folded, Table
from shoal.pipeline.report.result_tables import MISSING
from shoal.pipeline.report.study import Study
from shoal.pipeline.statistics.contrasts import ERROR_RATE
from shoal.pipeline.statistics.intervals import FEWEST
from shoal.pipeline.statistics.measures import by_target
from shoal.pipeline.statistics.rows import RowsComparison, compare_rows
from shoal.pipeline.statistics.signed_ranks import holm
from shoal.pipeline.tasks import Measure

MOST_NAMED = 4
"""Targets that sentences go into one by one; of more, tables do."""
BY_TARGET = "Target by target, beside the baselines"
LEAST_P = 1e-4
BEATS, LOSES, OPEN, UNTESTED = "beats", "loses to", "is not shown to beat", "cannot be compared with"
TESTED = (
    "The {answering} beats a baseline where its {headline} is smaller and a signed-rank test over the errors of the "
    "test rows holds it (5 %, p after Holm over {comparisons}), and loses to it where both are the other way round. "
    "That is about other rows of this kind, as far as rows are independent."
)


@dataclass(frozen=True)
class Against:
    """The chosen network (a) against a baseline (b) over the test rows of one target; `p` is after Holm."""

    target: str
    baseline: str
    rows: RowsComparison
    p: float
    verdict: str

    @property
    def counts(self) -> str:
        """In how many rows the network has the smaller error, and p."""
        p = f"{'' if self.p < LEAST_P else '= '}{_p(self.p)}"
        return f"nearer in {self.rows.a_smaller} of {self.rows.n_rows} rows, p {p}"


def comparisons(study: Study) -> list[Against]:
    """The chosen network against every baseline, target by target; empty where there is nothing to say."""
    if study.baselines is None or not study.y_hats:
        return []
    units, y = study.task.in_units, study.dataset.test.y
    found = []
    for own, target in zip(study.dataset.outputs_of, study.dataset.target_names, strict=True):
        with np.errstate(over="ignore"):
            of_rows = {name: units.of_rows(y_hat["test"][:, own], y[:, own]) for name, y_hat in study.y_hats.items()}
        mine = of_rows.pop(study.answering)
        for name, theirs in of_rows.items():
            found.append((target, name, compare_rows(mine, theirs), bool(mine.mean() < theirs.mean())))
    adjusted = holm([rows.p for _, _, rows, _ in found])
    return [
        Against(target, name, rows, float(p), _verdict(rows, float(p), is_smaller))
        for (target, name, rows, is_smaller), p in zip(found, adjusted, strict=True)
    ]


def _verdict(rows: RowsComparison, p: float, is_smaller: bool) -> str:
    """What may be said of the network, whose mean error `is_smaller` or not: the test and that have to agree."""
    if rows.n_rows < FEWEST:
        return UNTESTED
    if p > ERROR_RATE or rows.favours_a != is_smaller:
        return OPEN
    return BEATS if is_smaller else LOSES


def verdict(study: Study) -> list[str]:
    """A paragraph in the targets' own units: how far off, how far off the baselines are, and who beats whom."""
    against = comparisons(study)
    if not against:
        return []
    outcomes = _of_one(against) if len(study.dataset.target_names) == 1 else _of_many(study, against)
    if against[0].verdict == UNTESTED:
        outcomes = f"Whether it beats them cannot be shown with fewer than {FEWEST} test rows."
    return [" ".join([_sizes(study), *_beside(study), outcomes])]


def _sizes(study: Study) -> str:
    """How far off the chosen network and the baselines are on the test rows."""
    headline, claim = study.task.in_units.headline, study.task.in_units.claim
    targets, sizes = (
        study.dataset.target_names,
        {name: _measured(study, name)[headline.of("test")] for name in _names(study)},
    )
    parts = []
    for k, target in enumerate(targets[:MOST_NAMED]):
        rows = f"{headline.name} on the {counted(len(study.dataset.test.y), 'test row')}"
        unit = headline.unit.format(target=target)
        note = f" ({', '.join(filter(None, [rows, unit]))})" if k == 0 else f" ({unit})" if unit else ""
        own, first, *others = (_number(column[k]) for column in sizes.values())
        subjects = [f"{baseline.subject}'s" for baseline in of_task(study.task)]
        beside = ", ".join([f"{subjects[0]} is {first}", *map(" ".join, zip(subjects[1:], others, strict=True))])
        parts.append(f"{claim.format(target=target, value=own)}{note}; {beside}")
    rest = len(targets) - len(parts)
    more = f" The table of the test set has the other {counted(rest, 'target')}." if rest else ""
    return f"The {study.answering} {'. It '.join(parts)}.{more}"


def _beside(study: Study) -> list[str]:
    """A sentence for each measure that networks have beside their error, of the one target."""
    sentences = []
    for measure in study.task.in_units.beside(study.dataset.n_outputs):
        values = [float(_measured(study, name)[measure.of("test")].iloc[0]) for name in _names(study)]
        own, *others = ("unknown" if np.isnan(value) else f"{value:.3f}" for value in values)
        models = [f"{model.subject}'s {value}" for model, value in zip(of_task(study.task), others, strict=True)]
        sentences.append(f"Its {measure.name} is {own}, {listed(models)}.")
    return sentences


def _of_one(against: Sequence[Against]) -> str:
    """Who beats whom over the rows of a single target."""
    clauses = []
    for said in (BEATS, OPEN, LOSES):
        held = [f"{BASELINES[one.baseline].subject} ({one.counts})" for one in against if one.verdict == said]
        if held:
            how_many = "" if len(held) != 2 else "either " if said == OPEN else "both "
            clauses.append(f"{said} {how_many}{' or '.join(held) if said == OPEN else listed(held)}")
    return f"It {'; it '.join(clauses)}."


def _of_many(study: Study, against: Sequence[Against]) -> str:
    """Who beats whom for which of several targets."""
    n, found = len(study.dataset.target_names), dict[tuple[str, str], list[str]]()
    for baseline in of_task(study.task):
        for said in (BEATS, OPEN, LOSES):
            targets = [one.target for one in against if (one.baseline, one.verdict) == (baseline.name, said)]
            if targets:
                some = listed(targets) if len(targets) <= MOST_NAMED else f"{len(targets)} of the {n} targets"
                which = some if len(targets) < n else "both targets" if n == 2 else "every target"
                found.setdefault((said, which), []).append(baseline.subject)
    return f"It {'; it '.join(f'{said} {listed(subjects)} for {which}' for (said, which), subjects in found.items())}."


def units_blocks(study: Study) -> list[Block]:
    """What is compared and how, and the table of it: each target, by the chosen network and by each baseline."""
    against = comparisons(study)
    if not against:
        return []
    units, n = study.task.in_units, len(study.dataset.target_names)
    formulas = [f"{measure.name} = {measure.formula}, {measure.definition}" for measure in _measures(study)]
    models = [f"{baseline.name}: {baseline.definition}" for baseline in of_task(study.task)]
    compared = counted(len(against), "comparison")
    tested = TESTED.format(answering=study.answering, headline=units.headline.name, comparisons=compared)
    text = f"{'. '.join(formulas)}. {capital('; '.join(models))}. {tested}"
    table = _table(study, against)
    return [text, table if n <= MOST_NAMED else Folded(table)]


def _table(study: Study, against: Sequence[Against]) -> Table:
    """A row a target and model: the measures on the test and the validation rows, and the test against the network.

    A target alone is not named in each row.
    """
    n_heads, of_each = (1, "Beside the baselines") if len(study.dataset.target_names) == 1 else (2, BY_TARGET)
    columns = {m.of(split): m.label(split) for split in ("test", "validation") for m in _measures(study)}
    measured = {name: _measured(study, name) for name in _names(study)}
    tests = {(one.target, one.baseline): one for one in against}
    rows = []
    for k, target in enumerate(study.dataset.target_names):
        for name, table in measured.items():
            one = tests.get((target, name))
            compared = [str(one.rows.a_smaller), _p(one.p), one.verdict] if one else [MISSING] * 3
            rows.append([*[target, name][-n_heads:], *(_number(table[column][k]) for column in columns), *compared])
    tested = ["rows in which it is nearer", "p", f"the {study.answering}"]
    header = [*["target", "by"][-n_heads:], *columns.values(), *tested]
    by_unit = groupby(_measures(study), lambda measure: measure.unit.format(target="the target"))
    units = [f"{' and '.join(m.name for m in measures)} {unit}" for unit, measures in by_unit if unit]
    return Table("; ".join([of_each, *units]), header, rows, n_heads)


def _names(study: Study) -> list[str]:
    """The chosen network, then the baselines."""
    return [study.answering, *study.task.in_units.baselines]


def _measures(study: Study) -> list[Measure]:
    """What is said of each target."""
    return study.task.in_units.defined(len(study.dataset.outputs_of[0]))


def _measured(study: Study, name: str) -> pd.DataFrame:
    return by_target(study.dataset, study.y_hats[name].__getitem__)


def _number(value: float) -> str:
    return MISSING if np.isnan(value) else number(value)


def _p(p: float) -> str:
    return f"below {LEAST_P:g}" if p < LEAST_P else f"{p:.2g}"
