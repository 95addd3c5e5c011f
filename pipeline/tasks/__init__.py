"""What networks are trained for: a file each, and its name in TASKS."""

from shoal.pipeline.tasks.classification import CLASSIFICATION
from shoal.pipeline.tasks.measure import InUnits, Measure
from shoal.pipeline.tasks.regression import REGRESSION
from shoal.pipeline.tasks.task import SPLITS, Cost, Error, Hypers, Task

__all__ = [
    "CLASSIFICATION",
    "REGRESSION",
    "SPLITS",
    "TASKS",
    "Cost",
    "Error",
    "Hypers",
    "InUnits",
    "Measure",
    "Task",
    "reporting",
]

TASKS = {task.name: task for task in (REGRESSION, CLASSIFICATION)}


def reporting(error: str) -> Task:
    """The task that reports the error of this name, as result tables have it in their column `error`."""
    return next(task for task in TASKS.values() if task.error.name == error)
