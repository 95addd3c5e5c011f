"""What the predict stage chose as an MLflow model: what is in it, and how it gets into the store."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import warnings
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import LoggedModelOutput, LoggedModelStatus, Run
from mlflow.models import Model, ModelSignature
from mlflow.types.schema import ColSpec, Schema, TensorSpec

from shoal import kernels
from shoal.pipeline import store
from shoal.pipeline.paths import Paths
from shoal.pipeline.predictor import Predictor
from shoal.pipeline.preparation import NUMBER
from shoal.pipeline.provenance.libraries import LIBRARIES
from shoal.pipeline.tracking.client import every
from shoal.pipeline.tracking.state import SERVED, TRAVELS, served_code
from shoal.pipeline.tracking.tags import LABELS

KEY = "shoal.key"
EXAMPLE_ROWS = 5


@dataclass(frozen=True)
class Chosen:
    """The network that the predict stage chose, or several: how found, and all that predictions are made of."""

    choice: dict[str, Any]
    predictor: Predictor
    example: pd.DataFrame

    @property
    def digest(self) -> str:
        """16 hex digits over what it predicts with."""
        return hashlib.sha256(self.text.encode() + served_code()).hexdigest()[:16]

    @property
    def outputs(self) -> list[str]:
        """Names of the columns that it predicts."""
        return self.predictor.columns

    @property
    def types(self) -> list[ColSpec | TensorSpec]:
        """These with their types: numbers, but for the label of a target with classes."""
        of_first = LABELS[self.predictor.classes.kind] if self.predictor.classes else "double"
        return [ColSpec("double" if n else of_first, name) for n, name in enumerate(self.outputs)]

    @property
    def kind(self) -> str:
        """What MLflow calls such a model."""
        return "classifier" if self.predictor.classes else "regressor"

    @property
    def name(self) -> str:
        """What the model is called."""
        n = len(self.predictor.networks)
        return f"mean-of-{n}-networks" if "ensemble" in self.choice else f"network-{self.choice['network_id']}"

    @property
    def facts(self) -> dict[str, str]:
        """What is told of it beside its note: numbers and names of the choice; of an ensemble its own errors."""
        found = self.choice | self.choice.get("ensemble", {}) | {"networks": len(self.predictor.networks)}
        if "ensemble" not in self.choice:
            del found["networks"]
        left_out = ("why", "ensemble", "interval", "in_units")
        return {name: str(value) for name, value in found.items() if name not in left_out}

    @property
    def note(self) -> str:
        """Why it was chosen, and what it takes and gives, as its signature has no inputs: see served.py."""
        features, gives = self.predictor.prepared, ", ".join(f"`{name}`" for name in self.outputs)
        takes = ", ".join(f"`{name}`" for name in features.names) + ", numbers all"
        if any(column.kind != NUMBER for column in features.columns):
            takes = ", ".join(f"`{column.name}` ({column.kind})" for column in features.columns)
        why = self.choice.get("ensemble", self.choice)["why"]
        return f"Chosen for the {why}. Takes the columns {takes}; gives {gives}."

    @property
    def text(self) -> str:
        """Where it comes from and what it predicts with, as JSON: numbers with all the digits that tell them apart."""
        origin = {name: self.choice[name] for name in ("network_id", "sweep", "cell")}
        if "ensemble" in self.choice:
            origin = {"members": store.answering(self.choice)}
        return json.dumps(origin | self.predictor.to_json())


def read_chosen(paths: Paths, choice: dict[str, Any]) -> Chosen:
    """What answers by `choice` (predictions/chosen.json); raises FileNotFoundError where its results are missing."""
    predictor = store.load_chosen(paths, choice)
    example = store.read_table(paths.data / "train.parquet", list(predictor.feature_names)).head(EXAMPLE_ROWS)
    return Chosen(choice, predictor, example)


def log_model(client: MlflowClient, run: Run, chosen: Chosen) -> str:
    """Id of the network's model in the store, which is logged where it is not there yet, and tied to the run.

    What interrupted attempts left is deleted. Models of networks that were chosen before stay.
    """
    key = f"{run.data.tags[KEY]}/{chosen.digest}"
    found = [model for model in every(client.search_logged_models, [run.info.experiment_id]) if KEY in model.tags]
    whole = [model for model in found if model.status == LoggedModelStatus.READY]
    same = [str(model.model_id) for model in whole if model.tags[KEY] == key]
    for model in found:
        if model not in whole or model.model_id in same[1:]:
            client.delete_logged_model(model.model_id)
    model_id = same[0] if same else _log(client, run, key, chosen)
    outputs = client.get_run(run.info.run_id).outputs
    if model_id not in [output.model_id for output in (outputs.model_outputs if outputs else ())]:
        client.log_outputs(run.info.run_id, [LoggedModelOutput(model_id, step=0)])
    return model_id


def _log(client: MlflowClient, run: Run, key: str, chosen: Chosen) -> str:
    tags = {KEY: key, "mlflow.note.content": chosen.note}
    where = (run.info.experiment_id, chosen.name, run.info.run_id)
    model = client.create_logged_model(*where, tags, chosen.facts, chosen.kind)
    with tempfile.TemporaryDirectory() as folder:
        _save(chosen, Path(folder), Model(run_id=run.info.run_id, model_id=model.model_id))
        client.log_model_artifacts(model.model_id, str(Path(folder) / "model"))
    client.finalize_logged_model(model.model_id, LoggedModelStatus.READY)
    return str(model.model_id)


def _save(chosen: Chosen, folder: Path, model: Model) -> None:
    """Write folder/model: code as text (served.py, and what it needs), parameters as JSON, nothing pickled."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow's own, about type hints and about pandas
        from mlflow import pyfunc

        (folder / "network.json").write_text(chosen.text, encoding="utf-8")
        pyfunc.save_model(
            folder / "model",
            mlflow_model=model,
            python_model=str(SERVED),
            artifacts={"network": str(folder / "network.json")},
            code_paths=[str(_code(folder))],
            signature=ModelSignature(outputs=Schema(chosen.types)),
            input_example=chosen.example,
            pip_requirements=[f"{name}=={version(name)}" for name in ("mlflow", *LIBRARIES)],
        )


def _code(folder: Path) -> Path:
    """Make folder/shoal, the kernels and what TRAVELS: where a model is served, no shoal need be installed."""
    package = folder / "shoal"
    shutil.copytree(kernels.__path__[0], package / "kernels", ignore=shutil.ignore_patterns("__pycache__"))
    (package / "pipeline").mkdir()
    for place in (package, package / "pipeline"):
        (place / "__init__.py").touch()
    for module in TRAVELS:
        shutil.copy(module, package / "pipeline")
    return package
