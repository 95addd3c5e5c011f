"""A table -> a folder in which `dvc repro` does the rest. Nothing is run."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numba

from shoal.pipeline.begin import folder as folders
from shoal.pipeline.begin import rule, texts
from shoal.pipeline.begin.columns import Column, counts, look
from shoal.pipeline.config import ConfigError, Fault
from shoal.pipeline.config.faults import Notice, cut
from shoal.pipeline.data import readers
from shoal.pipeline.data.user_table import SHOWN_FAULTS, UserTable
from shoal.pipeline.paths import Paths
from shoal.pipeline.study.check import Findings, check
from shoal.pipeline.study.plan import Setting

LAST = "last"
"""Stands for the last column, unless a column has this name."""
OPTION = "--target"


@dataclass(frozen=True)
class Begun:
    """What there is to say of a new study: what looks wrong with its table, and what was seen and written."""

    notices: Sequence[Notice]
    lines: Sequence[str]


def begin(source: str, place: Path | None, wanted: Sequence[str]) -> Begun:
    """Write a study of the table `source` into the folder `place`, by default one of the table's name.

    Raises ConfigError with every fault of the table and of the words; then nothing is written.
    """
    folder = place or Path(texts.stem(source))
    table = readers.read(Path(), source, "")
    targets = _targets(table, wanted)
    folders.refuse(folder, Path(source))
    columns = look(table, targets)
    n_features = sum(not column.reason for column in columns)
    if not n_features:
        seen = "; ".join(_ignored(columns)) or "targets alone"
        raise ConfigError([Fault("", seen, "at least one column to predict from, of numbers alone", source)])
    there = "" if folder.resolve() == Path().resolve() else f"cd {shlex.quote(str(folder))} && "
    shares, threads = rule.fractions(len(table.rows)), numba.config.NUMBA_NUM_THREADS
    n_train, n_validation = (round(len(table.rows) * shares[part]) for part in ("train", "validation"))
    first = rule.first_sweep(Setting(n_features, len(targets), n_train, 8, threads, n_validation))
    text = texts.params(Path(source).name, targets, columns, shares, first, len(table.rows))
    found = _write(folder, Path(source), text, texts.title(source, targets, len(table.rows)), targets)
    return Begun(
        found.notices,
        [
            f"{source}: {', '.join(counts(columns))}, beside {', '.join(targets)}",
            *(f"ignored: {line}" for line in _ignored(columns)),
            *found.plan,
            f"sweep first: {first.trainings} trainings, about {first.time(threads)} on this machine",
            f"{folder}: params.yaml says this and more, beside a copy of the table; now: {there}dvc repro",
        ],
    )


def _targets(table: UserTable, wanted: Sequence[str]) -> list[str]:
    """The columns to predict; raises ConfigError with the faults of the table's form, of the words and of cells."""
    names = [table.columns[-1] if name == LAST and LAST not in table.columns else name for name in wanted]
    targets = list(dict.fromkeys(names))
    faults = [*table.faults, *(replace(fault, file=OPTION) for fault in table.missing("", targets))]
    if not targets:
        allowed = f"one or several columns of {table.name} ({cut(', '.join(table.columns))}), or {LAST}"
        faults.append(Fault("", "nothing", allowed, OPTION))
    faults += table.numbers([name for name in targets if name in table.columns])[1]
    if faults:
        raise ConfigError(faults)
    return targets


def _ignored(columns: Sequence[Column]) -> Iterator[str]:
    """A line for each column that is no feature, of many the first."""
    ignored = [column for column in columns if column.reason]
    for column in ignored[:SHOWN_FAULTS]:
        yield f"{column.name} ({column.reason})"
    if more := len(ignored[SHOWN_FAULTS:]):
        yield f"{more} more columns, each with its reason in params.yaml"


def _write(folder: Path, table: Path, params: str, title: str, targets: Sequence[str]) -> Findings:
    """Write the folder, and what `shoal check` finds in it; raises ConfigError, and leaves none, where that is a fault.

    The table is copied: the study can be moved, and what becomes of the original is no matter.
    """
    with_git = folders.has_git(folder)
    own = {"params.yaml": params, "README.md": texts.readme(title, table.name, targets, with_git)}
    own |= {name: texts.source(file) for file, name in texts.AS_THEY_ARE.items()}
    own[".python"] = f"{sys.executable}\n"
    with folders.whole(folder) as temporary:
        for name, text in own.items():
            (temporary / name).write_text(text, encoding="utf-8")
        shutil.copyfile(table, temporary / table.name)
        folders.make_dvc_project(temporary, with_git)
        found = check(Paths(temporary))
        if found.faults:
            raise ConfigError(found.faults)
    return found
