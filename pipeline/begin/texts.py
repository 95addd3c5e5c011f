"""The texts of a new study: params.yaml and README.md, filled in, and what is the same for all."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

from shoal.pipeline.begin.columns import Column
from shoal.pipeline.begin.rule import First
from shoal.pipeline.config.fields import LONGEST_LINE
from shoal.pipeline.data.notices import word

AS_THEY_ARE = {"stages.yaml": "dvc.yaml", "stage.sh": "stage.sh", "gitignore": ".gitignore", "dvcignore": ".dvcignore"}
"""Files below files/, and their names in a study: DVC would take a dvc.yaml among shoal's sources for one of theirs."""
WITHOUT_GIT = (
    "This folder is in no git repository. After `git init`, `dvc config --unset core.no_scm` lets DVC know of it, and "
    "`shoal compare` compares results of two commits."
)
WITH_GIT = "After a commit, `shoal compare HEAD workspace` compares its results with those that lie here."


def source(name: str) -> str:
    """A file below files/."""
    return resources.files(__package__).joinpath("files", name).read_text(encoding="utf-8")


def params(
    table: str,
    targets: Sequence[str],
    columns: Sequence[Column],
    fractions: Mapping[str, float],
    first: First,
    rows: int,
) -> str:
    """params.yaml: the data, what was found of its columns, and one sweep."""
    name = study_name(table)
    said = {
        "path": json.dumps(table, ensure_ascii=False),
        "targets": f"[{', '.join(map(word, targets))}]",
        "ignore": _ignore([column for column in columns if column.reason]),
        "name": name,
        "title": json.dumps(title(table, targets, rows), ensure_ascii=False),
        "why": f"{first.trainings} networks, each read off after {_listed(first.block['epochs'])} epochs",
        "block": "\n".join(f"    {key}: {_value(value)}" for key, value in first.block.items()),
    }
    return Template(source("params.yaml")).substitute(said | {key: f"{value:g}" for key, value in fractions.items()})


def readme(heading: str, table: str, targets: Sequence[str], with_git: bool) -> str:
    """README.md of a study."""
    said = {"title": heading, "table": table, "targets": _listed([f"`{name}`" for name in targets])}
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


def _ignore(columns: Sequence[Column]) -> str:
    """The key `ignore`, a column and the reason on each line."""
    if not columns:
        return "ignore: null      # columns of the table that are no features"
    names = [word(column.name) for column in columns]
    width = min(max(map(len, names)), 30)
    lines = [f"    - {name:{width}}  # {_comment(column.reason)}" for name, column in zip(names, columns, strict=True)]
    return "\n".join(
        ["ignore:           # columns that are no features, as it seems; delete the line of one that is", *lines]
    )


def _comment(text: str) -> str:
    """Text on one line, without what YAML allows in no comment."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _value(value: Any) -> str:
    return f"[{', '.join(map(str, value))}]" if isinstance(value, list) else str(value)


def _listed(words: Sequence[object]) -> str:
    *others, last = map(str, words)
    return f"{', '.join(others)} and {last}" if others else last
