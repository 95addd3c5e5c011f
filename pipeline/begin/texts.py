"""The texts of a new study: params.yaml and README.md, filled in, and what is the same for all."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

from shoal.pipeline.begin import rule
from shoal.pipeline.begin.columns import FEATURE, IGNORED, NAMES, Seen, gaps, of_use
from shoal.pipeline.begin.rule import First, RowCut
from shoal.pipeline.config.fields import LONGEST_LINE
from shoal.pipeline.data.notices import word
from shoal.pipeline.preparation import CATEGORY

AS_THEY_ARE = {"stage.sh": "stage.sh", "gitignore": ".gitignore", "dvcignore": ".dvcignore"}
"""Files below files/, and their names in a study."""
OF = {
    "path": "a CSV or Parquet file with named columns, in this folder; its rows are split as below",
    "train": "a CSV or Parquet file with named columns, in this folder; its rows are split as below",
    "validation": "another with these columns, on whose rows the networks that answer are chosen",
    "test": "another with these columns; errors are reported on its rows, or without targets, these are predicted",
}
USES = {
    "train": "networks are fitted on these rows",
    "validation": "the networks that answer are chosen on these",
    "calibration": "intervals are made of these",
    "test": "errors are reported on these",
}
SHOWN = 5
WITHOUT_GIT = (
    "This folder is in no git repository. After `git init`, `dvc config --unset core.no_scm` lets DVC know of it, and "
    "`shoal compare` compares results of two commits."
)
WITH_GIT = "After a commit, `shoal compare HEAD workspace` compares its results with those that lie here."


def source(name: str) -> str:
    """A file below files/."""
    return resources.files(__package__).joinpath("files", name).read_text(encoding="utf-8")


def stages(files: Mapping[str, str]) -> str:
    """dvc.yaml, whose stage data reads these files; DVC would take one among shoal's sources for one of theirs."""
    return source("stages.yaml").replace("- ${data.path}", "\n      ".join(f"- ${{data.{key}}}" for key in files))


def params(
    files: Mapping[str, str],
    targets: Sequence[str],
    task: str,
    columns: Sequence[Seen],
    rows: int,
    cut: RowCut,
    first: First,
    order: str | None,
    form: Mapping[str, Any],
) -> str:
    """params.yaml: the data, what was found of its columns, and one sweep; `task` says why targets are classes.

    `files` are the tables by their keys, `rows` those of the first, which are split in the order of the column `order`;
    `form` is what was said of texts, by its keys.
    """
    table = next(iter(files.values()))
    name = study_name(table)
    said = {
        "files": "\n".join(
            f"  {key}: {json.dumps(path, ensure_ascii=False)}    # {OF[key]}" for key, path in files.items()
        ),
        "targets": f"[{', '.join(map(word, targets))}]",
        "task": f"  task: classification    # {_comment(task)}\n" if task else "",
        "columns": "".join(f"  {line}\n" for line in (*_form(form), *_columns(columns))),
        "shares": "together 1" if cut.folds == 1 else "the others are in folds",
        "fractions": "\n".join(_fractions(cut)),
        "order": "".join(f"  {line}\n" for line in _order(columns, order)),
        "name": name,
        "title": json.dumps(title(table, targets, rows), ensure_ascii=False),
        "choose": _value(rule.choose(first, cut)),
        "interval": f"{'' if cut.has_interval else '# '}interval: {rule.LEVEL:g}",
        "why": f"{first.networks} networks, the best of which answer together",
        "block": "\n".join(f"    {key}: {_value(value)}" for key, value in first.block.items()),
    }
    return Template(source("params.yaml")).substitute(said)


def readme(heading: str, table: str, targets: Sequence[str], rows: str, with_git: bool) -> str:
    """README.md of a study; `rows` says how many are for what."""
    said = {"title": heading, "table": table, "targets": _listed([f"`{name}`" for name in targets]), "rows": rows}
    return Template(source("README.md")).substitute(said | {"history": WITH_GIT if with_git else WITHOUT_GIT})


def title(table: str, targets: Sequence[str], rows: int) -> str:
    """The heading of the report: the table, the targets and the rows, as far as a line has room."""
    wanted = targets[0] if len(targets) == 1 else f"{len(targets)} targets"
    for text in (f"{stem(table)}: {wanted} from {rows:,} rows", f"{rows:,} rows"):
        if len(text) <= LONGEST_LINE and text.isprintable():
            return text
    raise AssertionError("a number of rows is short")


def stem(table: str) -> str:
    """The name of a table without its endings."""
    return re.sub(r"(\.(csv|tsv|txt|parquet|gz))+$", "", Path(table).name, flags=re.IGNORECASE) or "study"


def study_name(table: str) -> str:
    """The name of the study in MLflow: letters, digits, - and _ of the table's."""
    return re.sub(r"[^A-Za-z0-9_]+", "-", stem(table)).strip("-_")[: LONGEST_LINE // 2] or "study"


def _form(form: Mapping[str, Any]) -> Iterator[str]:
    """The keys that say how texts have their tables, as they were given."""
    for key, value in form.items():
        yield f"{key}: {json.dumps(value, ensure_ascii=False)}    # of the texts, as given to `shoal init`"


def _columns(columns: Sequence[Seen]) -> Iterator[str]:
    """The keys ignore, id and missing, where there are such columns, with the reasons."""
    ignored, named = of_use(columns, IGNORED), of_use(columns, NAMES)
    if ignored:
        yield "ignore:           # columns that are no features, as it seems; delete the line of one that is"
    width = min(max((len(word(column.name)) for column in ignored), default=0), 30)
    for column in ignored:
        yield f"  - {word(column.name):{width}}  # {_comment(column.reason)}"
    if named:
        reasons = _comment("; ".join(column.reason for column in named[:SHOWN]))
        yield f"id: {_several([word(column.name) for column in named])}    # names rows, as it seems: {reasons}"
    if counted := list(gaps(columns)):
        kinds = {column.kind == CATEGORY for column in columns if column.use == FEATURE and column.n_gaps}
        ways = [way for is_text, way in ((False, "numbers: median"), (True, "categories: own")) if is_text in kinds]
        yield f"missing: {{{', '.join(ways)}}}    # rows without a value: {_comment(some(counted))}"


def _fractions(cut: RowCut) -> Iterator[str]:
    """The shares, and the key splits of folds."""
    for part, share in cut.fractions.items():
        yield f"    {f'{part}: {share:g}':18}# {USES[part]}"
    if cut.splits:
        yield f"  splits: {_value(cut.splits)}    # the other rows: each fold validates networks of the other folds"


def _order(columns: Sequence[Seen], order: str | None) -> Iterator[str]:
    """How rows are split in the order of a column; without one, a line to uncomment for each column whose dates follow
    the rows: it may be time that the rows are a series in."""
    names = [column.name for column in columns if column.in_order] if order is None else [order]
    for name in names:
        line = f"splits: {{kind: ordered, column: {word(name)}}}    # time series: test on the last rows"
        yield line if order else f"# {line}"


def _several(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"[{', '.join(names)}]"


def some(words: Sequence[str]) -> str:
    """The first of many, and how many more there are."""
    more = len(words) - SHOWN
    return ", ".join(words[:SHOWN]) + (f" and {more} more" if more > 0 else "")


def _comment(text: str) -> str:
    """Text on one line, without what YAML allows in no comment."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {inner}' for key, inner in value.items())}}}"
    return f"[{', '.join(map(str, value))}]" if isinstance(value, list) else str(value)


def _listed(words: Sequence[object]) -> str:
    *others, last = map(str, words)
    return f"{', '.join(others)} and {last}" if others else last
