"""What networks stand beside: models of hardly a choice, through the same split. A file each, and its name here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import NamedTuple

import numpy as np
import pandas as pd

from shoal.pipeline.baselines.baseline import Baseline, Linear
from shoal.pipeline.baselines.constant import CONSTANT
from shoal.pipeline.baselines.logistic import LOGISTIC
from shoal.pipeline.baselines.prior import PRIOR
from shoal.pipeline.baselines.ridge import RIDGE
from shoal.pipeline.data import Dataset
from shoal.pipeline.statistics.errors import bounded
from shoal.pipeline.statistics.measures import by_target
from shoal.pipeline.tasks import SPLITS, Error, Task

__all__ = ["BASELINES", "Baseline", "beside", "fitted", "of_task", "overall", "predicted", "table"]

BASELINES = {baseline.name: baseline for baseline in (CONSTANT, RIDGE, PRIOR, LOGISTIC)}


class Predicted(NamedTuple):
    """What a baseline predicts of each split (n, n_outputs), by their names, and the penalties (n_targets,) that were
    chosen for it: the median where several models are averaged."""

    y_hats: dict[str, np.ndarray]
    penalties: np.ndarray


def of_task(task: Task) -> list[Baseline]:
    """What networks of this task stand beside."""
    return [BASELINES[name] for name in task.in_units.baselines]


def fitted(dataset: Dataset) -> dict[str, Linear]:
    """The baselines of a dataset by name; the test rows have no say."""
    train, validation = dataset.train, dataset.validation
    rows = (dataset.inputs(train), train.y, dataset.inputs(validation), validation.y)
    with np.errstate(over="ignore", invalid="ignore"):
        return {baseline.name: baseline.fit(*rows) for baseline in of_task(dataset.task)}


def predicted(dataset: Dataset) -> dict[str, Predicted]:
    """What the baselines predict of each split, by their names.

    Where rows are validated on in folds: the mean of the models that were fitted to each of them, of the rows that
    folds hold out of those alone that were not fitted to these.
    """
    models = [fitted(part) for part in dataset.parts]
    return {name: _predicted(dataset, [one[name] for one in models]) for name in models[0]}


def _predicted(dataset: Dataset, models: Sequence[Linear]) -> Predicted:
    """The same of one baseline, by the models of all parts."""
    y_hats: dict[str, np.ndarray] = {}
    for split in SPLITS:
        if split == "validation" and dataset.folds:
            found = zip(models, dataset.folds, strict=True)
            y_hats[split] = dataset.out_of_fold(model.predict(fold.inputs(fold.validation)) for model, fold in found)
            continue
        rows = zip(models, dataset.parts, dataset.seen(split), strict=True)
        each = [model.predict(part.x_scaling.apply(x)) for model, part, x in rows]
        y_hats[split] = reduce(np.add, each) / len(each)
    return Predicted(y_hats, np.median([model.penalties for model in models], axis=0))


def table(dataset: Dataset) -> pd.DataFrame:
    """A row for each baseline and target, and of several targets one for all of them, whose `target` is null.

    The errors have their names of tables of networks; a measure has one where a target is alone.
    """
    return pd.concat([_rows(dataset, name, found) for name, found in predicted(dataset).items()], ignore_index=True)


def overall(table: pd.DataFrame) -> pd.DataFrame:
    """Of such a table the rows of all targets together, which a single target is."""
    every = table[table["target"].isna()]
    return table if every.empty else every


def beside(table: pd.DataFrame, error: Error, written: Callable[[float], str], split: str | None = None) -> str:
    """The errors of baselines as half a sentence, numbers as `written`: the constant has 84, ridge 24.

    They are those on a split, or on the one that is judged.
    """
    rows = overall(table)
    errors = zip(rows["baseline"], rows[error.of(split or error.judged)], strict=True)
    texts = [(BASELINES[name].subject, written(float(value))) for name, value in errors]
    return ", ".join(f"{subject}{'' if n else ' has'} {value}" for n, (subject, value) in enumerate(texts))


def _rows(dataset: Dataset, name: str, found: Predicted) -> pd.DataFrame:
    """The rows of one baseline."""
    y_hats, alone = found.y_hats, dataset.outputs_of
    together = [list(range(dataset.n_outputs))] if len(alone) > 1 else []
    errors = pd.DataFrame([_errors(dataset, y_hats, outputs) for outputs in (*together, *alone)])
    measures = by_target(dataset, y_hats.__getitem__).assign(penalty=found.penalties)
    measures.index += len(together)
    names = {"baseline": name, "target": measures.pop("target"), "penalty": measures.pop("penalty")}
    described = pd.DataFrame(names | {"error": dataset.task.error.name}, errors.index)
    described = described.astype({"baseline": "string", "target": "string", "penalty": "Float64", "error": "string"})
    return pd.concat([described, errors, measures], axis=1)


def _errors(dataset: Dataset, y_hats: dict[str, np.ndarray], outputs: list[int]) -> dict[str, float]:
    """The errors of these outputs on each split, as the task reports so many."""
    scale, errors = dataset.error_scale[outputs], dict[str, float]()
    with np.errstate(over="ignore", invalid="ignore"):
        for error in dataset.task.reported(len(outputs)):
            for split, y_hat in y_hats.items():
                y = getattr(dataset, split).y
                is_known = split != "test" or dataset.is_tested
                value = bounded(error.measure(y_hat[:, outputs], y[:, outputs], scale)) if is_known else np.nan
                errors[error.of(split)] = value
    return errors
