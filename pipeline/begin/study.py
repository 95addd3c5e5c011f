"""A table -> a folder in which `dvc repro` does the rest. Nothing is run."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numba

from shoal.pipeline.begin import folder as folders
from shoal.pipeline.begin import options, rule, texts
from shoal.pipeline.begin import targets as outcomes
from shoal.pipeline.begin.columns import FEATURE, IGNORED, NAMES, Seen, gaps, look, of_use
from shoal.pipeline.begin.rule import RowCut
from shoal.pipeline.config import ConfigError, DataConfig, Fault
from shoal.pipeline.config.faults import PARAMS, Notice
from shoal.pipeline.data import readers, splitting
from shoal.pipeline.data.dialect import Dialect
from shoal.pipeline.data.user_table import UserTable
from shoal.pipeline.paths import Paths
from shoal.pipeline.study.check import Findings, check
from shoal.pipeline.study.plan import Setting


@dataclass(frozen=True)
class NewStudy:
    """What there is to say of a new study: what looks wrong with its table, and what was seen and written."""

    notices: Sequence[Notice]
    lines: Sequence[str]


@dataclass(frozen=True)
class _Look:
    """What was seen of a table: its columns but the targets, and of the way it is cut how many rows each part gets.

    Of folds, `sizes` are those of the first. Rows are cut in the `order` of a column, or at random.
    """

    cut: RowCut
    sizes: Mapping[str, int]
    columns: Sequence[Seen]
    order: str | None

    @property
    def features(self) -> list[Seen]:
        return of_use(self.columns, FEATURE)


def begin(
    source: str,
    place: Path | None,
    wanted: Sequence[str],
    test: str | None = None,
    validation: str | None = None,
    order: str | None = None,
    form: Mapping[str, str] | None = None,
) -> NewStudy:
    """Write a study of the table `source` into the folder `place`, by default one of the table's name.

    `test` and `validation` are tables of their own for these rows, `order` is the column that rows are split by in its
    order, `form` what is said of texts, by the keys of params.yaml. Raises ConfigError with every fault of the tables
    and of the words; then nothing is written.
    """
    folder, files = place or Path(texts.stem(source)), options.files(source, test, validation)
    try:
        begun = _begin(folder, files, wanted, order, options.form(form or {}))
    except ConfigError as error:
        faults = [replace(fault, allowed=options.named(fault.allowed)) for fault in error.faults]
        raise ConfigError(faults) from None
    notices = [replace(notice, way_out=options.named(notice.way_out)) for notice in begun.notices]
    return replace(begun, notices=notices)


def _begin(
    folder: Path, files: Mapping[str, str], wanted: Sequence[str], order: str | None, form: Mapping[str, Any]
) -> NewStudy:
    """The same, with ways out in words of params.yaml."""
    names = {key: Path(file).name for key, file in files.items()}
    table, *others = (readers.read(Path(), file, "", Dialect(**form)) for file in files.values())
    targets = outcomes.chosen(table, wanted)
    options.check_order(table, targets, order)
    folders.refuse(folder, [Path(file) for file in files.values()])
    *better, last = rule.cuts(len(table.rows), bool(outcomes.task(table, targets)), names)
    for cut in better if order is None else ():
        with suppress(ConfigError):  # a class of one row, say: the last way may do, and if not, says why
            looked = _looked_at(table, names, targets, cut)
            if not any(column.in_order for column in looked.columns):  # rows of a series have neighbours in each fold
                return _begun(folder, files, table, targets, looked, form)
    looked = _looked_at(table, names, targets, last, order)
    own = {key: len(other.rows) for key, other in zip(list(files)[1:], others, strict=True)}
    return _begun(folder, files, table, targets, replace(looked, sizes={**looked.sizes, **own}), form)


def _begun(
    folder: Path,
    files: Mapping[str, str],
    table: UserTable,
    targets: Sequence[str],
    looked: _Look,
    form: Mapping[str, Any],
) -> NewStudy:
    """Write the study of a table that was looked at; raises ConfigError where that cannot be one."""
    names = {key: Path(file).name for key, file in files.items()}
    source, *_ = files.values()
    if not looked.features:
        seen = texts.some(_without_use(looked.columns)) or "targets alone"
        raise ConfigError([Fault("", seen, "at least one column to predict from", source)])
    threads, n_rows = numba.config.NUMBA_NUM_THREADS, len(table.rows)
    shape = sum(column.n_inputs for column in looked.features), outcomes.n_outputs(table, targets)
    setting = Setting(*shape, looked.sizes["train"], 8, threads, looked.sizes["validation"], looked.cut.folds)
    first = rule.first_sweep(setting, looked.cut.classifies)
    task, order = outcomes.task(table, targets), looked.order
    text = texts.params(names, targets, task, looked.columns, n_rows, looked.cut, first, order, form)
    title, with_git = texts.title(source, targets, n_rows), folders.has_git(folder)
    readme = texts.readme(title, next(iter(names.values())), targets, _cut_so(table, looked), with_git)
    found = _write(folder, files, text, readme, with_git)
    there = "" if folder.resolve() == Path().resolve() else f"cd {shlex.quote(str(folder))} && "
    return NewStudy(
        found.notices,
        [
            f"{source}: {'; '.join(_seen(table, targets, looked))}",
            f"{folder}: {first.networks} networks, about {first.time(threads)} of training on this machine; "
            f"params.yaml says more; now: {there}dvc repro",
        ],
    )


def _looked_at(
    table: UserTable, files: Mapping[str, str], targets: Sequence[str], cut: RowCut, order: str | None = None
) -> _Look:
    """The columns, and the rows of each part; raises ConfigError where there are too few rows."""
    n_rows, is_of_classes = len(table.rows), bool(outcomes.task(table, targets))
    if n_rows < rule.LEAST_ROWS:
        allowed = f"at least {rule.LEAST_ROWS}, to train, validate and test"
        raise ConfigError([Fault("", f"{n_rows} row{'s' * (n_rows != 1)}", allowed, table.name)])
    block = {
        "source": "file",
        "targets": list(targets),
        "features": None,
        "fractions": cut.fractions,
        "splits": {"kind": "ordered", "column": order} if order else cut.splits,
        "split_seed": 0,
        "standardise": True,
        "task": "classification" if is_of_classes else "regression",
        "missing": {"numbers": "median", "categories": "own"},
    }
    settings = DataConfig.model_validate(block | dict(files))
    rows, _ = splitting.split(table, settings)
    rows |= next(iter(splitting.in_folds(rows["train"], settings)), {})
    sizes = {name: len(rows[name]) for name in splitting.PARTS if name in rows}
    return _Look(cut, sizes, look(table, settings, rows["train"]), order)


def _seen(table: UserTable, targets: Sequence[str], looked: _Look) -> Iterator[str]:
    """What was seen of a table, in few words."""
    yield f"{len(table.rows):,} rows"
    if found := outcomes.task(table, targets):
        yield f"{targets[0]} holds {found}: classes"
    if named := of_use(looked.columns, NAMES):
        yield f"{texts.some([column.name for column in named])} name{'s' * (len(named) == 1)} the rows"
    if ignored := _without_use(of_use(looked.columns, IGNORED)):
        yield f"ignored: {texts.some(ignored)}"
    if counted := list(gaps(looked.columns)):
        yield f"without a value: {texts.some(counted)}"
    for column in looked.columns:
        if column.in_order:
            way_out = f"{options.ORDER} {column.name}, or splits in params.yaml"
            yield f"{column.name} follows the rows: for a time series, {way_out}"
    yield f"{len(looked.features)} feature{'s' * (len(looked.features) != 1)}"
    yield _cut_so(table, looked)


def _cut_so(table: UserTable, looked: _Look) -> str:
    """How many rows are for what."""
    if looked.cut.folds > 1:
        tested = looked.sizes["test"]
        return f"{len(table.rows) - tested:,} in {looked.cut.folds} folds, each to validate in turn; {tested:,} to test"
    parts = ", ".join(rule.PARTS[part] for part in looked.sizes)
    ordered = f", in the order of {looked.order}" if looked.order else ""
    return f"{' / '.join(f'{n:,}' for n in looked.sizes.values())} to {parts}{ordered}"


def _without_use(columns: Sequence[Seen]) -> list[str]:
    """Columns that are no features, each with the reason without details in brackets."""
    return [f"{column.name} ({column.reason.partition(' (')[0]})" for column in columns if column.use != FEATURE]


def _write(folder: Path, files: Mapping[str, str], params: str, readme: str, with_git: bool) -> Findings:
    """Write the folder, and what `shoal check` finds in it; raises ConfigError, and leaves none, where that is a fault.

    The tables are copied: the study can be moved, and what becomes of the originals is no matter.
    """
    tables = [Path(file) for file in files.values()]
    own = {"params.yaml": params, "README.md": readme}
    own["dvc.yaml"] = texts.stages(files)
    own |= {name: texts.source(file) for file, name in texts.AS_THEY_ARE.items()}
    own[".python"] = f"{sys.executable}\n"
    with folders.whole(folder) as temporary:
        for name, text in own.items():
            (temporary / name).write_text(text, encoding="utf-8")
        for table in tables:
            shutil.copyfile(table, temporary / table.name)
        folders.make_dvc_project(temporary, with_git)
        found = check(Paths(temporary))
        if found.faults:
            raise ConfigError([replace(fault, file=_place(fault.file, folder)) for fault in found.faults])
    return found


def _place(file: str, folder: Path) -> str:
    """A file with a fault, which is not there yet where it is the new params.yaml."""
    return f"{PARAMS} as it would be in {folder}" if file == PARAMS else file
