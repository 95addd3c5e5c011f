"""Where results come from, as tags and metrics that every run of a sweep carries."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from typing import Any

from shoal.pipeline import store
from shoal.pipeline.errors import DamagedFileError
from shoal.pipeline.paths import Paths
from shoal.pipeline.preparation import BOOLEAN, CATEGORY, NUMBER, Column, Preparation
from shoal.pipeline.provenance import made_from, receipts
from shoal.pipeline.provenance.hashes import kernels_hash, params_hash

TYPES = {NUMBER: "double", BOOLEAN: "boolean", CATEGORY: "string"}
"""Kinds of columns in MLflow's words."""
LABELS = {str: "string", int: "long", bool: "boolean"}
"""Kinds of labels in these words."""
DVC_TAGS = {"DVC_STAGE": "shoal.dvc_stage", "DVC_EXP_NAME": "shoal.dvc_experiment"}
"""Variables that DVC sets for its stages, the second in experiments alone, and the tags that take their values."""


@dataclass(frozen=True)
class TrainingData:
    """The training split as MLflow describes a data set, its `columns` as in a schema."""

    digest: str
    columns: list[dict[str, Any]]
    rows: int

    @property
    def schema(self) -> str:
        """Its columns as MLflow writes them."""
        return json.dumps({"mlflow_colspec": self.columns})

    @property
    def profile(self) -> str:
        """Its size as MLflow writes it."""
        return json.dumps({"num_rows": self.rows, "num_elements": self.rows * len(self.columns)})


@dataclass(frozen=True)
class Provenance:
    """Of one sweep: `tags` and `metrics` of each of its runs."""

    data: TrainingData
    tags: dict[str, str]
    metrics: dict[str, float]


class Provenances:
    """What all sweeps have in common is looked up once."""

    def __init__(self, paths: Paths) -> None:
        self.paths = paths
        description = store.read_json(paths.data / "data.json")
        columns = [*Preparation.from_json(description).columns, *map(Column, description["target_names"])]
        rows = len(store.read_table(paths.data / "train.parquet", [column.name for column in columns]))
        specs = list(map(_colspec, columns))
        if labels := description.get("classes"):
            specs[-1]["type"] = LABELS[type(labels[0])]
        self.data = TrainingData(description["data_hash"], specs, rows)
        self.tags = {"shoal.data": self.data.digest, "shoal.kernels": kernels_hash()}
        self.tags |= {tag: os.environ[name] for name, tag in DVC_TAGS.items() if name in os.environ}
        if commit := _commit(paths):
            self.tags["mlflow.source.git.commit"] = commit

    def of(self, sweep: str) -> Provenance:
        """Those of one sweep; what its training log says is left out where the log is of other results."""
        now = made_from.sweep(self.paths, sweep)
        receipt = receipts.read(self.paths, now.place)
        params = (receipt.made_from if receipt else now).params
        dtype, block = params["dtype"], params[f"sweeps.{sweep}"]
        tags = self.tags | {"shoal.params": params_hash(params["seed"], dtype, block), "shoal.dtype": str(dtype)}
        log = self._log(sweep)
        if log.get("results") != store.file_hash(self.paths.runs(sweep)):
            return Provenance(self.data, tags, {})
        tags["shoal.libraries"] = ", ".join(f"{name} {version}" for name, version in log["libraries"].items())
        tags |= {f"shoal.{name}": str(log[name]) for name in ("instruction_set", "threads")}
        times = {"sweep_seconds": log["training_seconds"], "sweep_gflop_per_second": log["gflop_per_second"]}
        return Provenance(self.data, tags, {} if log.get("known") else times)  # those of a part are not the sweep's

    def _log(self, sweep: str) -> dict[str, Any]:
        try:
            return dict(store.read_json(self.paths.log(f"sweep-{sweep}")))
        except (FileNotFoundError, DamagedFileError):
            return {}


def _colspec(column: Column) -> dict[str, Any]:
    return {"type": TYPES[column.kind], "name": column.name, "required": not column.takes_missing}


def _commit(paths: Paths) -> str:
    """The commit that is checked out, or nothing where there is no git or no repository."""
    try:
        command = ["git", "rev-parse", "--verify", "--quiet", "HEAD"]
        found = subprocess.run(command, cwd=paths.root, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return found.stdout.strip()
