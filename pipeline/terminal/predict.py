"""Predictions of a stored network for a table of the user's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from shoal.pipeline import data, store
from shoal.pipeline.config import Config, ConfigError, Fault
from shoal.pipeline.data import features, naming, readers, texts
from shoal.pipeline.data.dialect import given
from shoal.pipeline.data.ranges import Outside
from shoal.pipeline.data.user_table import UserTable
from shoal.pipeline.errors import OutOfDateError, ShoalError
from shoal.pipeline.paths import Paths
from shoal.pipeline.preparation import Preparation
from shoal.pipeline.store import StoredNetwork
from shoal.pipeline.terminal import outputs


@dataclass(frozen=True)
class Request:
    """What the user asks for: predictions for the table `source` in the file `output`.

    Without `network_id`, the network chosen by the predict stage answers. `prefix` is put before the names of all
    columns that are added, of which `flag_range` asks for one more.
    """

    source: str
    output: Path
    network_id: str | None = None
    prefix: str = ""
    flag_range: bool = False


def predict_file(paths: Paths, settings: Config, request: Request) -> tuple[int, str, list[str]]:
    """Write the row number, the columns of `source` as they are, and <target>_predicted for each target.

    Returns the number of rows, a remark on those outside the range of training, empty if there are none, and a line for
    each column that has levels, or missing cells, which no training row has. Features and predictions are in original
    units, predictions float64. Raises ConfigError with every fault of the table, or for an output that must not be
    written, and ShoalError where there is no network to predict with.
    """
    target = outputs.place(request.output, paths, [Path(request.source), paths.root / settings.data.path])
    dataset = data.load(paths)
    network = _network(paths, list(settings.sweeps), request.network_id)
    table = readers.read(Path(), request.source, "", given(settings.data))
    names = [naming.ROW, *naming.predicted(dataset.target_names), *([naming.FLAG] if request.flag_range else [])]
    names = [f"{request.prefix}{name}" for name in names]
    cells = _features(table, dataset.preparation, names)
    x = dataset.preparation.matrix(cells)
    y_hat = dataset.predictor(network.run["architecture"], network.params).predict(x)
    outside = Outside.training(dataset, x, cells)
    added = [pa.array(np.arange(1, len(x) + 1)), *(pa.array(column, pa.float64()) for column in y_hat.T)]
    if request.flag_range:
        added.append(pa.array(outside.flags(), pa.string()))
    outputs.write(target, _joined(_content(table, target), dict(zip(names, added, strict=True))))
    unforeseen = [f"{request.source}: column '{name}': {text}" for name, text in dataset.preparation.remarks(cells)]
    return len(x), outside.remark(request.source), unforeseen


def _features(table: UserTable, preparation: Preparation, added: list[str]) -> dict[str, np.ndarray]:
    """The cells (n,) of each feature; raises ConfigError with every fault of the table."""
    faults = [*table.faults, *table.missing("", preparation.names)]
    used = features.read(table, preparation)
    if taken := [name for name in added if name in {*table.columns, *table.content.column_names}]:
        found = f"columns that shoal would add: {', '.join(map(repr, taken))}"
        allowed = "--prefix NAME, which is put before all names that shoal adds; or other names in the table"
        faults.append(Fault("", found, allowed, table.name))
    if faults := [*faults, *used.faults]:
        raise ConfigError(faults)
    return used.cells


def _content(table: UserTable, target: Path) -> pa.Table:
    """What the file of `table` holds, with numbers for text where a CSV file is to become Parquet."""
    if (Path(table.name).suffix.lower(), target.suffix.lower()) != (".csv", ".parquet"):
        return table.content
    return pa.table([texts.typed(column) for column in table.content.columns], names=table.columns)


def _joined(content: pa.Table, added: dict[str, pa.Array]) -> pa.Table:
    """The row number first, then the user's columns, then what else is added."""
    (row, numbers), *others = added.items()
    for name, column in others:
        content = content.append_column(name, column)
    return content.add_column(0, row, numbers)


def _network(paths: Paths, sweeps: list[str], network_id: str | None) -> StoredNetwork:
    """The network of this id, or the chosen one; raises ShoalError where there is none that can predict."""
    if network_id is None:
        return _chosen(paths)
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


def _chosen(paths: Paths) -> StoredNetwork:
    choice = store.read_json(paths.chosen)
    if choice is None:
        raise ShoalError(
            f"{paths.chosen}: found no network, as all networks diverged; --network cannot help; allowed: results "
            "with a network that did not diverge (lower the learning rates in params.yaml and run `dvc repro`)"
        )
    try:
        return store.load_network(paths, [choice["sweep"]], choice["network_id"])
    except OutOfDateError as error:
        raise OutOfDateError(f"{paths.chosen}: found {error}") from None
