"""One network: predictions, and gradients of everything. Plain Python, no compiled code."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from shoal.kernels.compile.linked import Linked, kernels_of, packed
from shoal.kernels.compile.warmup import load_all
from shoal.kernels.network import whole
from shoal.kernels.network.activate import activation_kernels, with_addresses
from shoal.kernels.network.architecture import Architecture
from shoal.kernels.network.cost import COSTS
from shoal.kernels.network.losses import loss_of
from shoal.kernels.network.tape import Layout, layout_of
from shoal.kernels.simd.lanes import SAMPLES
from shoal.kernels.training.data import Samples, Shared, matrix, shared_data

DTYPES = ("float64", "float32")
TOGETHER = 1 << 16
"""Predictions of several networks that are made at once."""


@dataclass(frozen=True)
class Gradients:
    """Gradients of the mean cost over the samples given.

    half_mse (n_outputs,), its parts per output, or those of another loss; W, b per dense layer in the order of the
    parameter row; a per node but the input (n_samples, units); x (n_samples, n_features).
    """

    half_mse: np.ndarray
    W: list[np.ndarray]
    b: list[np.ndarray]
    a: list[np.ndarray]
    x: np.ndarray


def predict(architecture: Architecture, params: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Outputs (n, n_outputs) float64 for x (n, n_features), computed in the dtype of `params` (n_params,).

    NaN stays NaN, in the parameters of a diverged network and in x. Raises ValueError for arrays that do not fit the
    architecture.
    """
    outputs: np.ndarray = next(predict_each(architecture, np.array(params)[np.newaxis], x))[0]
    return outputs


def predict_each(architecture: Architecture, params: np.ndarray, x: np.ndarray) -> Iterator[np.ndarray]:
    """`predict` of many networks of an architecture, (m, n, n_outputs) of some after another, from their `params`
    (n_networks, n_params)."""
    x, params = matrix("x", x), np.ascontiguousarray(params)
    layout = _fitting_layout(architecture, params[0], x)
    data = shared_data(Samples(x, np.zeros((len(x), 0))), params.dtype)
    size = architecture.n_outputs * data.ld
    together = max(1, TOGETHER // max(size, 1))
    outputs = np.empty(min(len(params), together) * size, params.dtype)
    net = _single(whole.predict_all, layout, params, data, architecture.n_outputs)
    for at in range(0, len(params), together):
        some = params[at : at + together]
        whole.predict_all(params.dtype, packed(net._replace(params=some)), len(some), outputs)
        found = outputs[: len(some) * size].reshape(len(some), architecture.n_outputs, data.ld)[..., : data.n]
        yield np.ascontiguousarray(found.transpose(0, 2, 1), np.float64)


def gradients(
    architecture: Architecture,
    params: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    *,
    weights: np.ndarray | None = None,
    loss: str = "squared",
    loss_hypers: tuple[tuple[str, float], ...] = (),
) -> Gradients:
    """Cost and gradients over x (n, n_features), y (n, n_outputs), in the dtype of `params` (n_params,).

    Dropout does nothing. Raises ValueError for arrays that do not fit the architecture or each other, and numbers in x
    or y that are not finite.
    """
    samples, params = Samples(x, y, weights).checked(), np.array(params)
    loss_of(loss).check(samples.y)
    layout, dtype = _fitting_layout(architecture, params, samples.x), params.dtype
    if architecture.n_outputs != samples.y.shape[1]:
        raise ValueError(f"'{architecture}' ends with {architecture.n_outputs} outputs; y has {samples.y.shape[1]}")
    data = shared_data(samples, dtype)
    add_cost = COSTS[SAMPLES.name, loss, weights is not None]
    load_all([(add_cost, dtype)])
    to = whole.Gradient(
        add_cost=add_cost.address(dtype),
        hypers=np.array([*loss_of(loss).hypers_of(loss_hypers), 0.0]),
        Y=data.Y,
        da=np.empty(layout.n_units * whole.TILE, dtype),
        dz=np.empty(layout.n_units * whole.TILE, dtype),
        ones=np.ones(whole.TILE, dtype),
        costs=np.zeros(data.n_outputs),
        grads=np.zeros_like(params),
        deltas=np.empty(layout.n_units * data.ld, dtype),
    )
    single = _single(whole.differentiate_all, layout, params, data, data.n_outputs)
    whole.differentiate_all(dtype, packed(single), packed(to), params)
    deltas = to.deltas.reshape(layout.n_units, data.ld)[:, : data.n]
    nodes = [block.T for block in np.split(deltas, np.cumsum(layout.sizes)[:-1])]
    pairs = list(layout.weights(to.grads))
    return Gradients(to.costs, [W for W, _ in pairs], [b for _, b in pairs], nodes[1:], nodes[0])


def one_hot(classes: np.ndarray, n_classes: int) -> np.ndarray:
    """Probabilities (n, n_classes), of 0 and 1, from the index (n,) of each sample's class: what cross_entropy takes.

    Raises ValueError where an index is not a whole number from 0 to n_classes - 1.
    """
    classes = np.asarray(classes)
    allowed = f"whole numbers from 0 to {n_classes - 1} in one dimension"
    if classes.ndim != 1 or classes.dtype.kind not in "iu":
        raise ValueError(f"classes has shape {classes.shape} and dtype {classes.dtype}; allowed: {allowed}")
    if bad := [index for index in classes.tolist() if not 0 <= index < n_classes]:
        raise ValueError(f"classes has {bad[0]}; allowed: {allowed}")
    probabilities: np.ndarray = np.eye(n_classes)[classes]
    return probabilities


def check_dtype(name: str, dtype: str | np.dtype) -> None:
    """Raise ValueError where networks cannot be trained, or predict, in a dtype."""
    if dtype not in DTYPES:
        raise ValueError(f"{name} {dtype} is not one that networks are trained in; allowed: {', '.join(DTYPES)}")


def _fitting_layout(architecture: Architecture, params: np.ndarray, x: np.ndarray) -> Layout:
    layout = layout_of(architecture, x.shape[1])
    check_dtype("params: dtype", params.dtype)
    if params.shape != (layout.n_params,):
        raise ValueError(
            f"params has shape {params.shape}; '{architecture}' with {x.shape[1]} inputs needs ({layout.n_params},)"
        )
    return layout


def _single(entry: Linked, layout: Layout, params: np.ndarray, data: Shared, n_outputs: int) -> whole.Single:
    """A network as `entry` takes it, with the kernels that are needed loaded."""
    own = (*kernels_of(SAMPLES.name), *activation_kernels(SAMPLES.name, layout.ops), entry)
    load_all([(kernel, params.dtype) for kernel in own])
    return whole.Single(
        ops=with_addresses(layout.ops, SAMPLES.name, params.dtype),
        n_ops=len(layout.ops),
        n_units=layout.n_units,
        n_params=layout.n_params,
        params=params,
        X=data.X,
        n=data.n,
        ld=data.ld,
        n_features=data.n_features,
        n_outputs=n_outputs,
        a=np.empty(layout.n_units * whole.TILE, params.dtype),
    )
