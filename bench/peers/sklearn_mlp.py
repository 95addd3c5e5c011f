"""scikit-learn.

MLPRegressor or MLPClassifier as it is, but for the weights it starts from: plain gradient descent (no momentum, no
penalty) or Adam, one `fit` for the whole training and no early stop. It has no other speed to tune than its BLAS
threads. It keeps the cost of each epoch (full batch: of each step) of its own accord, shuffles by itself, and cannot be
asked for the cost over all samples at given steps; only the final one is computed apart.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor

from bench.peers.common import BETA_1, BETA_2, EPSILON, Stack, stacks, trainer
from bench.workloads import Workload
from shoal.kernels.ensemble import NetworkSpec

TITLE = "scikit-learn"
PACKAGE = "sklearn"
CONFIGURATIONS = ((2, 1), (1, 2))
SLOW = True
EXACT_ORDER = False
ACTIVATIONS = {"relu": "relu", "tanh": "tanh", "linear": "identity"}


class GivenStart:
    """A network that starts from `weights`, pairs (W (fan_out, fan_in), b)."""

    def start_from(self, weights: list[tuple[np.ndarray, np.ndarray]]) -> GivenStart:
        """Itself, with the weights for the next `fit`."""
        self._weights = iter(weights)
        return self

    def _init_coef(self, fan_in: int, fan_out: int, dtype: np.dtype) -> tuple[np.ndarray, np.ndarray]:
        W, b = next(self._weights)
        return np.array(W.T, dtype, order="C"), np.array(b, dtype)


class Regressor(GivenStart, MLPRegressor):
    """Of half_mse."""


class Classifier(GivenStart, MLPClassifier):
    """Of the cross-entropy."""


def supports(workload: Workload) -> bool:
    """Workloads of one target."""
    return not workload.own_targets


def training(workload: Workload, stack: Stack, dtype: str) -> Callable[[], np.ndarray]:
    """The training of one network."""
    x, y = (np.asfortranarray(values, dtype) for values in workload.data)
    weights = [(W[0], b[0]) for W, b in stack.weights(workload, dtype)]
    size, optimizer = workload.batch_size or len(x), stack.specs[0].optimizer
    is_classes = workload.loss == "cross_entropy"
    targets = y.argmax(axis=1) if is_classes else y if y.shape[1] > 1 else y[:, 0]
    model = (Classifier if is_classes else Regressor)(
        hidden_layer_sizes=stack.sizes[1:-1],
        activation=ACTIVATIONS[stack.activation],
        solver="adam" if optimizer == "adam" else "sgd",
        learning_rate_init=stack.learning_rate,
        momentum=0,
        nesterovs_momentum=False,
        beta_1=BETA_1,
        beta_2=BETA_2,
        epsilon=EPSILON,
        alpha=0,
        batch_size=size,
        shuffle=workload.batch_size is not None,
        max_iter=workload.epochs,
        tol=0,
        n_iter_no_change=np.inf,
        random_state=stack.specs[0].replicate,
    )

    def train() -> np.ndarray:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.start_from(weights).fit(x, targets)
        if is_classes:
            return np.array([-np.sum(y * model.predict_log_proba(x), dtype=float) / len(x)])
        error = model.predict(x).reshape(y.shape) - y
        return np.array([0.5 * np.sum(error**2, dtype=float) / len(x)])

    return train


def prepare(workload: Workload, specs: Sequence[NetworkSpec], dtype: str, n_threads: int) -> Callable[[], np.ndarray]:
    """See `bench.peers.load`."""
    parts = stacks(workload, specs, lambda sizes: 1)
    return trainer(parts, [training(workload, stack, dtype) for stack in parts], 1)
