"""Stage `predict`: what answers, chosen on the validation split, and the test-set predictions to hand in."""

from __future__ import annotations

import sys
from functools import lru_cache, partial
from typing import Any

import numpy as np
import pandas as pd

from shoal.pipeline import config, data, store
from shoal.pipeline.config import Choose
from shoal.pipeline.data import Dataset, Split, naming
from shoal.pipeline.paths import Paths
from shoal.pipeline.predictor import Fitted, Predictor
from shoal.pipeline.provenance import made_from, receipts
from shoal.pipeline.stages import _stage
from shoal.pipeline.statistics import conformal, ensembles
from shoal.pipeline.statistics.errors import LARGEST, best_first, best_networks, deciding, errors_of


@receipts.kept(made_from.predictions)
def run(paths: Paths) -> dict[str, Any]:
    """Write predictions/{test_predictions.csv,chosen.json,all_cells.parquet}; returns the choice for the log.

    Where all networks diverged, nothing is chosen: chosen.json is null, and the predictions are empty.
    """
    settings = config.load(paths)
    sweeps = list(settings.sweeps)
    store.refuse_unwritable(paths.all_cells, paths.test_predictions, paths.chosen)
    dataset = data.load(paths)
    networks = store.read_table(paths.networks)
    best = best_networks(networks)
    runs = store.read_runs(paths, sweeps, ["network_id", "architecture"])
    architectures = runs.drop_duplicates("network_id").set_index("network_id")["architecture"]
    tables, outputs = [], {}
    for sweep, winners in best.groupby("sweep", sort=False):
        weights = store.weights_of(paths, str(sweep), winners["network_id"])
        for _, winner in winners.iterrows():
            key = str(winner["network_id"])
            own = dataset.part_of(winner["replicate"])
            outputs[key] = _y_hat(own, architectures[key], weights[key], winner["status"])
            table = _long(dataset, outputs[key])
            tables.append(table.assign(**{name: winner[name] for name in ("sweep", "cell", "network_id", "replicate")}))
    chosen = best_first(best).iloc[0]
    choice = None
    answer = {name: np.full(len(dataset.test.x), np.nan) for name in naming.predicted(dataset.target_names)}
    ensemble = _ensemble(paths, settings.choose, dataset, networks, architectures)
    if chosen["status"] != "diverged" and (ensemble or not dataset.folds):
        choice = _choice(dataset, chosen, len(best), len(networks), architectures[chosen["network_id"]]) | ensemble
        predictor = store.load_predictor(paths, store.answering(choice))
        if settings.interval is not None and dataset.calibration is not None:
            predictor = conformal.calibrated(predictor, dataset.calibration, settings.interval)
            choice["interval"] = _interval(predictor, dataset, dataset.calibration, settings.interval)
        elif settings.interval is not None and dataset.folds:
            predictor = conformal.out_of_fold(predictor, dataset, settings.interval)
            choice["interval"] = _interval(predictor, dataset, dataset.validation, settings.interval)
        answer = predictor.table(np.hstack(dataset.seen("test")))
    store.write_table(paths.all_cells, pd.concat(tables, ignore_index=True))
    store.write_csv(paths.test_predictions, _predictions(dataset, answer))
    store.write_sealed_json(paths.chosen, choice)
    if choice is None:
        return {"not_chosen": len(networks)}
    return {"answering": len(predictor.networks)} if "ensemble" in choice else {"chosen": choice["network_id"]}


def _ensemble(
    paths: Paths, choose: Choose, dataset: Dataset, networks: pd.DataFrame, architectures: pd.Series
) -> dict[str, Any]:
    """The networks that answer where it is not one alone, and the errors of their mean; nothing where it is.

    Nor where networks of a fold are missing, as all of them diverged.
    """
    if choose == "network" and not dataset.folds:
        return {}
    measured = dataset.task.reported(dataset.n_outputs)
    beside = dataset.task.in_units.beside(dataset.n_outputs)
    weights = lru_cache(maxsize=1)(partial(store.read_weights, paths))  # cells of a sweep come one after another

    def errors(rows: pd.DataFrame, split: str) -> dict[str, Any]:
        """Errors of the mean of these networks on a split, by their names; LARGEST where one is beyond float64.

        And what is beside them, None where that is undefined.
        """
        keys = zip(rows["sweep"], rows["network_id"], rows["replicate"], strict=True)
        fitted = [(replicate, Fitted.of(architectures[key], weights(sweep)[key])) for sweep, key, replicate in keys]
        y = getattr(dataset, split).y
        with np.errstate(over="ignore", invalid="ignore"):
            y_hat = dataset.predicted(dataset.mean_of(fitted), split)
            found = {error.name: error.measure(y_hat, y, dataset.error_scale) for error in measured}
            others = {measure.column: measure.measure(y_hat, y) for measure in beside}
        if np.isnan(y).all():
            return dict.fromkeys([*found, *others])
        return {name: value if value < LARGEST else LARGEST for name, value in found.items()} | _known(others)

    error = deciding(networks)
    rows = ensembles.members(choose, networks, lambda cell: errors(cell, "validation")[error.name])
    if rows.empty:
        return {}
    found = {
        f"{split}_{name}": value for split in ("validation", "test") for name, value in errors(rows, split).items()
    }
    n_cells = len(networks.drop_duplicates(["sweep", "cell"]))
    numbers = ["replicate", store.FOLD] if dataset.folds else ["replicate"]
    named = [
        {name: row[name] for name in ("network_id", "sweep", "cell")} | {name: int(row[name]) for name in numbers}
        for _, row in rows.iterrows()
    ]
    said = ensembles.why(choose, rows, n_cells, len(networks), error)
    return {"ensemble": {"choose": choose, "networks": named, **found, "why": said}}


def _interval(predictor: Predictor, dataset: Dataset, rows: Split, level: float) -> dict[str, Any]:
    """What chosen.json says of the prediction intervals; where rows are too few, the terminal says so."""
    if line := conformal.too_few(len(rows.x), level, *(["share of rows in folds"] if dataset.folds else [])):
        print(line, file=sys.stderr)
    if predictor.out_of_fold is not None:
        shares = conformal.coverage_of_folds(predictor, dataset)
        made_of: dict[str, Any] = {"out_of_fold": predictor.out_of_fold.to_json()}
    else:
        shares = conformal.coverage(predictor, dataset.test)
        widths = predictor.to_json()["half_widths"]
        made_of = {"half_width": dict(zip(dataset.target_names, widths, strict=True))}
    return {
        "level": level,
        "calibration_rows": len(rows.x),
        "rows_needed": conformal.rows_needed(level),
        **made_of,
        "coverage": dict(zip(dataset.target_names, shares, strict=True)),
        "test_rows": len(dataset.test.x),
    }


def _predictions(dataset: Dataset, answer: dict[str, np.ndarray]) -> pd.DataFrame:
    """Row numbers, what names rows, features, targets, and the columns of what answers, in original units.

    Where another column has one of the names that are added, these have a prefix.
    """
    own = [*dataset.test.ids, *dataset.feature_names, *dataset.target_names]
    added = [naming.ROW, *answer]
    prefix = naming.free_prefix(added, own)
    row, *predicted = (f"{prefix}{name}" for name in added)
    parts = [pd.DataFrame({row: dataset.test.rows}), dataset.test.ids, dataset.features(dataset.test)]
    answered = pd.DataFrame(dict(zip(predicted, answer.values(), strict=True)))
    return pd.concat([*parts, dataset.targets(dataset.test), answered], axis=1)


def _long(dataset: Dataset, y_hat: np.ndarray) -> pd.DataFrame:
    """One row a test sample and target: sample (its index in data/test.parquet), row (see Split), target, y, y_hat.

    Of classes one row a class, `target=class`, whose y is 1 for the true one, and y_hat the probability.
    """
    n, n_outputs = y_hat.shape
    names = [f"{dataset.target_names[0]}={name}" for name in dataset.classes.names] or dataset.target_names
    columns = {
        "sample": np.repeat(np.arange(n), n_outputs),
        "row": np.repeat(dataset.test.rows, n_outputs),
        "target": np.tile(np.array(names, object), n),
        "y": dataset.test.y.ravel(),
        "y_hat": y_hat.ravel(),
    }
    return pd.DataFrame(columns)


def _y_hat(dataset: Dataset, architecture: str, params: np.ndarray, status: str) -> np.ndarray:
    """Predictions (n_test, n_outputs) for the test split, in original units; NaN from a network that diverged."""
    if status == "diverged":
        return np.full_like(dataset.test.y, np.nan)
    return dataset.predictor(architecture, params).predict(dataset.test.x)


def _choice(dataset: Dataset, chosen: pd.Series, n_cells: int, n_networks: int, architecture: str) -> dict[str, Any]:
    error, beside = deciding(chosen), dataset.task.in_units.beside(dataset.n_outputs)
    numbers = {kind.metric(split): kind.of(split) for kind in errors_of(chosen) for split in ("validation", "test")}
    smallest = f"smallest {error.label('validation')} of all {n_networks} networks in {n_cells} cells"
    return {
        "network_id": chosen["network_id"],
        "sweep": chosen["sweep"],
        "cell": chosen["cell"],
        "replicate": int(chosen["replicate"]),
        **({store.FOLD: int(chosen[store.FOLD])} if dataset.folds else {}),
        "architecture": architecture,
        **_known({name: chosen[column] for name, column in numbers.items()}),
        **_known({column: chosen[column] for measure in beside for column in map(measure.of, ("validation", "test"))}),
        "candidates": n_networks,
        "why": f"{smallest}; the test split had no say",
    }


def _known(numbers: dict[str, float]) -> dict[str, float | None]:
    """Numbers as JSON has them: None for NaN."""
    return {name: None if np.isnan(value) else float(value) for name, value in numbers.items()}


if __name__ == "__main__":
    _stage.main("predict", run)
