"""THE table of hyper-parameters, and of the methods that take them: names and texts alone, no NumPy and no Numba.

Whatever lists hyper-parameters reads it: the keys of params.yaml and what they ask of each other, the cells of a sweep
and their names, result tables, axes, figures, `shoal show`, MLflow, the report. So a number of an optimizer's own is a
row in TRAINING and a key of its method in METHODS; its default stands with the engine, in the optimizer's file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

ENGINE = "the engine's"
"""Default of a hyper-parameter that may be left out, and then has the value that the engine has for it."""


@dataclass(frozen=True)
class Hyperparameter:
    """One hyper-parameter: what tables and figures call it, and the pandas type of its column in result tables.

    Of those in TRAINING, `values` is the kind of its values (config/fields.py), `default` the value where params.yaml
    has none (None: it has to be given), and `suffix` stands before a value in the names of cells, where whole numbers
    are filled up to so many `digits`. `nouns` are one and many of what its levels count. `along_x` ranks which of the
    axes that vary runs along the x axis of a figure, 0 first. `off` is the value that makes no use of it, where that
    need not be the default.
    """

    label: str
    column: str | None
    values: str = ""
    suffix: str = ""
    digits: int = 0
    default: Any = None
    nouns: tuple[str, str] | None = None
    along_x: int = 1
    off: Any = None

    def in_name(self, value: Any) -> str:
        """A value as the names of cells have it."""
        return f"{self.suffix}{value:0{self.digits}d}" if isinstance(value, int) else f"{self.suffix}{value}"


SHAPE = {
    "depth": Hyperparameter("hidden layers", "Int64", nouns=("hidden layer", "hidden layers"), along_x=2),
    "width": Hyperparameter("nodes per layer", "Int64", nouns=("node per layer", "nodes per layer"), along_x=0),
    "hidden_sizes": Hyperparameter("nodes, layer by layer", "string", along_x=2),
}
"""Of the networks of one activation."""

TRAINING = {
    "batch_size": Hyperparameter("batch size", "Int64", "batch", "b", 4, default="full", along_x=0),
    "learning_rate": Hyperparameter("learning rate", "Float64", "positive", "lr"),
    "momentum": Hyperparameter("momentum", "Float64", "fraction", "m", default=ENGINE),
    "alpha": Hyperparameter("ridge alpha", "Float64", "positive", "a"),
    "beta_1": Hyperparameter("beta_1", "Float64", "fraction", "beta1_", default=ENGINE),
    "beta_2": Hyperparameter("beta_2", "Float64", "fraction", "beta2_", default=ENGINE),
    "decay": Hyperparameter("decay of squares", "Float64", "fraction", "decay", default=ENGINE),
    "epsilon": Hyperparameter("epsilon", "Float64", "positive", "eps", default=ENGINE),
    "schedule": Hyperparameter("schedule", "string", "schedule", default="constant", along_x=2),
    "every": Hyperparameter(
        "epochs per drop", "Int64", "count", "every", default=ENGINE, nouns=("epoch per drop", "epochs per drop")
    ),
    "gamma": Hyperparameter("gamma", "Float64", "positive", "gamma", default=ENGINE),
    "warmup": Hyperparameter(
        "epochs of warm-up", "Int64", "whole", "warmup", default=0, nouns=("epoch of warm-up", "epochs of warm-up")
    ),
    "l2": Hyperparameter("l2 penalty", "Float64", "not_negative", "l2_", default=0.0),
    "clip_norm": Hyperparameter("clipping norm", "Float64", "positive", "clip", default=ENGINE),
    "weight_decay": Hyperparameter("weight decay", "Float64", "not_negative", "wd", default=ENGINE, off=0.0),
    "loss": Hyperparameter("loss", "string", "loss", "loss-", default="squared", along_x=2),
    "delta": Hyperparameter("delta", "Float64", "positive", "delta", default=ENGINE),
    "quantile": Hyperparameter("quantile", "Float64", "share", "q", default=ENGINE),
    "keep": Hyperparameter("keep", "string", "keep", "keep-", default="last", along_x=2),
    "patience": Hyperparameter("patience", "Int64", "count", "p", 3, default=ENGINE),
    "min_delta": Hyperparameter("min_delta", "Float64", "not_negative", "md", default=0.0),
    "validate_every": Hyperparameter("steps between validations", "Int64", "count", "v", 3, default=10),
    "epochs": Hyperparameter("epochs", None, "count", "e", 5, nouns=("epoch", "epochs"), along_x=0),
    "steps": Hyperparameter(
        "gradient steps", "Int64", "count", "s", 5, nouns=("gradient step", "gradient steps"), along_x=0
    ),
}
"""Of the methods; each but the schedule may differ by activation.

Epochs have no column: result tables have the steps that they make.
"""

HYPERPARAMETERS = SHAPE | TRAINING
"""All, in the order in which they lay out tables and figures."""

DURATIONS = ("epochs", "steps")
"""How long networks are trained, in the unit that a sweep is written in; steps are a function of epochs."""

FIRST = ("learning_rate", "batch_size", "steps", "alpha")
"""Those from before there was this table: every identity of a network and every result table has them, given or not.

Later ones are only in the identities of networks where they are not the default, and in tables where a network has any.
"""


@dataclass(frozen=True)
class MethodRow:
    """How networks are fitted: what sentences call it (`name`), what becomes of its networks (`how`), and its keys.

    `keys` are of TRAINING, in the order of the names of cells; `limit` is what keeps its networks from being better.
    """

    name: str
    how: str
    keys: tuple[str, ...]
    limit: str = "training"


@dataclass(frozen=True)
class ScheduleRow:
    """A schedule of the learning rate: its `keys`, of TRAINING, and those of them that it `needs`."""

    keys: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()


SCHEDULES = {
    "constant": ScheduleRow(),
    "step": ScheduleRow(("every", "gamma"), ("every",)),
    "exponential": ScheduleRow(("gamma",), ("gamma",)),
    "cosine": ScheduleRow(),
}
"""By the value of `schedule` in params.yaml, which the engine knows them by."""

OF_SCHEDULES = tuple(dict.fromkeys(key for row in SCHEDULES.values() for key in row.keys))
"""The keys that a schedule has of its own."""

LOSSES: dict[str, tuple[str, ...]] = {
    "squared": (),
    "absolute": (),
    "huber": ("delta",),
    "quantile": ("quantile",),
    "cross_entropy": (),
}
"""By the value of `loss` in params.yaml, which the engine knows them by: the numbers that each takes, of TRAINING."""

CLASSES_LOSS = "cross_entropy"
"""What networks are trained on where targets are classes and no loss is asked for."""

KEPT = ("last", "best")
"""Values of `keep`."""

ON_A_LOSS = ("loss", *(number for numbers in LOSSES.values() for number in numbers))
WATCHED = ("keep", "patience", "min_delta", "validate_every")
"""What descent is along, and what is made of validation costs."""

DESCENT = ("learning_rate", "batch_size", "steps", "epochs", *ON_A_LOSS, *WATCHED)
ALONG = ("schedule", *OF_SCHEDULES, "warmup", "l2", "clip_norm", "weight_decay")
METHODS = {
    "gd": MethodRow("gradient descent", "trained by gradient descent on {cost}", (*DESCENT, *ALONG)),
    "momentum": MethodRow(
        "gradient descent with momentum",
        "trained by gradient descent with momentum on {cost}",
        (*DESCENT, "momentum", *ALONG),
    ),
    "nesterov": MethodRow(
        "gradient descent with Nesterov's momentum",
        "trained by gradient descent with Nesterov's momentum on {cost}",
        (*DESCENT, "momentum", *ALONG),
    ),
    "adagrad": MethodRow("AdaGrad", "trained by AdaGrad on {cost}", (*DESCENT, "epsilon", *ALONG)),
    "rmsprop": MethodRow("RMSProp", "trained by RMSProp on {cost}", (*DESCENT, "decay", "epsilon", *ALONG)),
    "adam": MethodRow("Adam", "trained by Adam on {cost}", (*DESCENT, "beta_1", "beta_2", "epsilon", *ALONG)),
    "adamw": MethodRow("AdamW", "trained by AdamW on {cost}", (*DESCENT, "beta_1", "beta_2", "epsilon", *ALONG)),
    "ridge": MethodRow(
        "ridge regression",
        "hidden layers at their random start, the output layer fitted by ridge regression",
        ("alpha",),
        limit="the random hidden layer",
    ),
}
"""By the value of `optimizer` in params.yaml, which the engine knows them by."""

KEYS = tuple(dict.fromkeys(key for method in METHODS.values() for key in method.keys))
"""Those of TRAINING, in the order of the keys of params.yaml and of the columns of result tables."""


def taking(key: str) -> list[str]:
    """Names of the methods that take a hyper-parameter of TRAINING."""
    return [name for name, method in METHODS.items() if key in method.keys]
