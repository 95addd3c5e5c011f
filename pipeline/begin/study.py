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
from shoal.pipeline.begin import targets as outcomes
from shoal.pipeline.begin.columns import FEATURE, IGNORED, NAMES, Seen, gaps, look, of_use
from shoal.pipeline.config import ConfigError, DataConfig, Fault
from shoal.pipeline.config.faults import PARAMS, Notice
from shoal.pipeline.config.schema import Fractions, Missing
from shoal.pipeline.data import readers, splitting
from shoal.pipeline.data.user_table import UserTable
from shoal.pipeline.paths import Paths
from shoal.pipeline.study.check import Findings, check
from shoal.pipeline.study.plan import Setting


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
    targets = outcomes.chosen(table, wanted)
    folders.refuse(folder, Path(source))
    task = outcomes.task(table, targets)
    sizes, columns = _looked_at(table, targets, task)
    features = of_use(columns, FEATURE)
    if not features:
        seen = texts.some(_without_use(columns)) or "targets alone"
        raise ConfigError([Fault("", seen, "at least one column to predict from", source)])
    threads, n_rows = numba.config.NUMBA_NUM_THREADS, len(table.rows)
    n_inputs = sum(column.n_inputs for column in features)
    n_outputs = outcomes.n_outputs(table, targets)
    first = rule.first_sweep(Setting(n_inputs, n_outputs, sizes["train"], 8, threads, sizes["validation"]))
    text = texts.params(Path(source).name, targets, task, columns, n_rows, first)
    found = _write(folder, Path(source), text, texts.title(source, targets, n_rows), targets)
    there = "" if folder.resolve() == Path().resolve() else f"cd {shlex.quote(str(folder))} && "
    return Begun(
        found.notices,
        [
            f"{source}: {'; '.join(_seen(table, targets, columns, sizes))}",
            f"{folder}: {first.networks} networks, about {first.time(threads)} of training on this machine; "
            f"params.yaml says more; now: {there}dvc repro",
        ],
    )


def _looked_at(table: UserTable, targets: Sequence[str], task: str) -> tuple[dict[str, int], list[Seen]]:
    """How many rows each part gets, and the other columns; raises ConfigError where there are too few rows."""
    n_rows = len(table.rows)
    settings = DataConfig(
        source="file",
        path=table.name,
        targets=tuple(targets),
        features=None,
        fractions=Fractions(**rule.fractions(n_rows, bool(task))),
        split_seed=0,
        standardise=True,
        task="classification" if task else "regression",
        missing=Missing(numbers="median", categories="own"),
    )
    rows, _ = splitting.split(table, settings)
    if n_rows < rule.LEAST_ROWS:
        allowed = f"at least {rule.LEAST_ROWS}, to train, validate and test"
        raise ConfigError([Fault("", f"{n_rows} row{'s' * (n_rows != 1)}", allowed, table.name)])
    return {name: len(part) for name, part in rows.items()}, look(table, settings, rows["train"])


def _seen(table: UserTable, targets: Sequence[str], columns: Sequence[Seen], sizes: dict[str, int]) -> Iterator[str]:
    """What was seen of a table, in few words."""
    yield f"{len(table.rows):,} rows"
    if found := outcomes.task(table, targets):
        yield f"{targets[0]} holds {found}: classes"
    if named := of_use(columns, NAMES):
        yield f"{texts.some([column.name for column in named])} names the rows"
    if ignored := _without_use(of_use(columns, IGNORED)):
        yield f"ignored: {texts.some(ignored)}"
    if counted := list(gaps(columns)):
        yield f"without a value: {texts.some(counted)}"
    for column in columns:
        if column.in_order:
            yield f"{column.name} follows the rows: for a time series, uncomment splits in params.yaml"
    features = of_use(columns, FEATURE)
    yield f"{len(features)} feature{'s' * (len(features) != 1)}"
    parts = ", ".join(rule.PARTS[part] for part in sizes)
    yield f"{' / '.join(f'{n:,}' for n in sizes.values())} to {parts}"


def _without_use(columns: Sequence[Seen]) -> list[str]:
    """Columns that are no features, each with the reason without details in brackets."""
    return [f"{column.name} ({column.reason.partition(' (')[0]})" for column in columns if column.use != FEATURE]


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
            raise ConfigError([replace(fault, file=_place(fault.file, folder)) for fault in found.faults])
    return found


def _place(file: str, folder: Path) -> str:
    """A file with a fault, which is not there yet where it is the new params.yaml."""
    return f"{PARAMS} as it would be in {folder}" if file == PARAMS else file
