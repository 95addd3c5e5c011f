"""Predictions of stored networks for a table of the user's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from shoal.pipeline import data, store
from shoal.pipeline.classes import Classes
from shoal.pipeline.config import Config, ConfigError, Fault
from shoal.pipeline.data import features, naming, readers, texts
from shoal.pipeline.data.dialect import given
from shoal.pipeline.data.ranges import Outside
from shoal.pipeline.data.user_table import UserTable, in_all
from shoal.pipeline.errors import OutOfDateError, ShoalError
from shoal.pipeline.paths import Paths
from shoal.pipeline.predictor import Predictor
from shoal.pipeline.preparation import Preparation, Unforeseen
from shoal.pipeline.statistics import conformal
from shoal.pipeline.store import StoredNetwork
from shoal.pipeline.terminal import outputs

_LABELS = {str: pa.string(), int: pa.int64(), bool: pa.bool_()}
"""Types of columns of labels, by the kind of these."""


@dataclass(frozen=True)
class Request:
    """What the user asks for: predictions for the table `source` in the file `output`.

    Without `network_id`, what the predict stage chose answers. `prefix` is put before the names of all
    columns that are added, of which `flag_range` asks for one more.
    """

    source: str
    output: Path
    network_id: str | None = None
    prefix: str = ""
    flag_range: bool = False


@dataclass(frozen=True)
class Done:
    """Rows that were predicted, and remarks on those outside the range of training and on intervals, or nothing.

    `unforeseen` has a line for each column with levels, or missing cells, which no training row has.
    """

    n_rows: int
    outside: str
    intervals: str
    unforeseen: list[str]


def predict_file(paths: Paths, settings: Config, request: Request) -> Done:
    """Write the row number, the columns of `source` as they are, and those of Predictor.table.

    The table is read, predicted and written part after part. Features and predictions are in original units,
    predictions float64. Raises ConfigError with every fault of the table (of a long one, of the first part with any),
    or for an output that must not be written, and ShoalError where there is no network to predict with.
    """
    inputs = [Path(request.source), *(paths.root / path for path in settings.data.files.values())]
    target = outputs.place(request.output, paths, inputs)
    dataset = data.load(paths)
    predictor, intervals = _predictor(paths, settings, dataset, request.network_id)
    names = [naming.ROW, *predictor.columns, *([naming.FLAG] if request.flag_range else [])]
    names = [f"{request.prefix}{name}" for name in names]
    outside, unforeseen = Outside.training(dataset), Unforeseen(dataset.preparation)

    def parts() -> Iterator[UserTable]:
        return readers.parts(Path(), request.source, "", given(settings.data))

    def predicted() -> Iterator[pa.Table]:
        kinds = _kinds(parts()) if _becomes_typed(request.source, target) else None
        rest = parts()
        for table in rest:
            cells, faults = _features(table, dataset.preparation, names)
            if faults:
                raise ConfigError([*in_all(faults), *_unread(table, rest)])
            x, first = dataset.preparation.matrix(cells), outside.n_rows + 1
            answer = predictor.table(predictor.inputs(cells) if dataset.folds else x)
            unforeseen.see(cells)
            flags = pa.array(outside.see(x, cells), pa.string())
            added = [pa.array(np.arange(first, first + len(x)))]
            added += [_array(column, predictor.classes) for column in answer.values()]
            added += [flags] if request.flag_range else []
            yield _joined(_content(table, kinds), dict(zip(names, added, strict=True)))

    outputs.write(target, predicted())
    told = [f"{request.source}: column '{name}': {text}" for name, text in unforeseen.remarks()]
    return Done(outside.n_rows, outside.remark(request.source), intervals, told)


def _array(column: np.ndarray, classes: Classes) -> pa.Array:
    """Numbers, or labels as objects; null for NaN and None."""
    return pa.array(column, _LABELS[classes.kind] if column.dtype == object else pa.float64(), from_pandas=True)


def _unread(table: UserTable, rest: Iterator[UserTable]) -> Iterator[Fault]:
    """A line where there is more behind a part with faults."""
    if next(rest, None) is not None:
        found = f"faults up to row {table.rows[-1]}, and has not been read on from there"
        yield Fault("", found, "a table without; mend these, and try again", table.name)


def _features(
    table: UserTable, preparation: Preparation, added: list[str]
) -> tuple[dict[str, np.ndarray], list[Fault]]:
    """The cells (n,) of each feature, and every fault of the table."""
    faults = [*table.faults, *table.missing("", preparation.names)]
    used = features.read(table, preparation)
    if taken := [name for name in added if name in {*table.columns, *table.content.column_names}]:
        found = f"columns that shoal would add: {', '.join(map(repr, taken))}"
        allowed = "--prefix NAME, which is put before all names that shoal adds; or other names in the table"
        faults.append(Fault("", found, allowed, table.name))
    return used.cells, [*faults, *used.faults]


def _becomes_typed(source: str, target: Path) -> bool:
    """Whether text is to become numbers."""
    return (Path(source).suffix.lower(), target.suffix.lower()) == (".csv", ".parquet")


def _kinds(parts: Iterator[UserTable]) -> list[set[pa.DataType]]:
    """For each column of text the types of numbers that keep all its cells, those of every part."""
    kinds: list[set[pa.DataType] | None] = []
    for table in parts:
        found = [texts.keeping(column) for column in table.content.columns]
        kinds = [_both(one, other) for one, other in zip_longest(kinds, found)]
    return [kind or set() for kind in kinds]


def _both(one: set[pa.DataType] | None, other: set[pa.DataType] | None) -> set[pa.DataType] | None:
    """The types for two parts of a column, None for one that has no say."""
    if one is None or other is None:
        return other if one is None else one
    return one & other


def _content(table: UserTable, kinds: list[set[pa.DataType]] | None) -> pa.Table:
    """What the file of `table` holds, with numbers for text where there are `kinds` of them."""
    if kinds is None:
        return table.content
    columns = [texts.typed(column, kind) for column, kind in zip(table.content.columns, kinds, strict=True)]
    return pa.table(columns, names=table.columns)


def _joined(content: pa.Table, added: dict[str, pa.Array]) -> pa.Table:
    """The row number first, then the user's columns, then what else is added."""
    (row, numbers), *others = added.items()
    for name, column in others:
        content = content.append_column(name, column)
    return content.add_column(0, row, numbers)


def _predictor(paths: Paths, settings: Config, dataset: data.Dataset, network_id: str | None) -> tuple[Predictor, str]:
    """The network of this id, or what was chosen; and a line where there are too few rows for its intervals.

    Raises ShoalError where there is none that can predict.
    """
    kept, level = dataset.calibration, settings.interval
    if network_id is None:
        choice = _choice(paths)
        predictor, level = _chosen(paths, choice), choice.get("interval", {}).get("level")
        kept = dataset.validation if predictor.out_of_fold else kept
    else:
        network = _network(paths, list(settings.sweeps), network_id)
        own = dataset.part_of(network.run["replicate"])
        predictor = own.predictor(network.run["architecture"], network.params)
        if kept is not None and level is not None:
            predictor = conformal.calibrated(predictor, kept, level)
    key = ["share of rows in folds"] if dataset.folds else []
    return predictor, conformal.too_few(len(kept.x), level, *key) if kept is not None and level is not None else ""


def _network(paths: Paths, sweeps: list[str], network_id: str) -> StoredNetwork:
    """The network of this id; raises ConfigError where there is none that can predict."""
    try:
        network = store.load_network(paths, sweeps, network_id)
    except OutOfDateError:
        found = f"no network '{network_id}' in the results of {', '.join(sweeps)}"
        allowed = "a network_id from results/<sweep>/runs.parquet or the MLflow UI"
        raise ConfigError([Fault("", found, allowed, "--network")]) from None
    if network.run["status"] == "diverged":
        found = f"network '{network_id}', which diverged at step {network.run['diverged_step']}"
        raise ConfigError([Fault("", found, "a network with status ok in results/<sweep>/runs.parquet", "--network")])
    return network


def _choice(paths: Paths) -> dict[str, Any]:
    """What the predict stage chose; raises ShoalError where it chose nothing."""
    choice: dict[str, Any] | None = store.read_json(paths.chosen)
    if choice is None:
        raise ShoalError(
            f"{paths.chosen}: found no network, as all networks diverged; --network cannot help; allowed: results "
            "with a network that did not diverge (lower the learning rates in params.yaml and run `dvc repro`)"
        )
    return choice


def _chosen(paths: Paths, choice: dict[str, Any]) -> Predictor:
    try:
        return store.load_chosen(paths, choice)
    except OutOfDateError as error:
        raise OutOfDateError(f"{paths.chosen}: found {error}") from None
