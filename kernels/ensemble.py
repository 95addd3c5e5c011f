"""The door to the kernels: train many networks, predict with one, differentiate one. Plain Python, no compiled code.

Arrays outside are sample-major, x (n_samples, n_features) and y (n_samples, n_outputs); inside they are feature-major.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypedDict, Unpack

import numpy as np

from shoal.kernels import streams
from shoal.kernels.compile.host import ENGINE
from shoal.kernels.compile.linked import Linked, kernels_of, packed
from shoal.kernels.compile.warmup import load_all
from shoal.kernels.network import whole
from shoal.kernels.network.activate import activation_kernels, with_addresses
from shoal.kernels.network.architecture import Architecture
from shoal.kernels.network.cost import COSTS
from shoal.kernels.network.losses import loss_of
from shoal.kernels.network.tape import Layout, layout_of
from shoal.kernels.results import Trained, result_of
from shoal.kernels.simd.lanes import SAMPLES
from shoal.kernels.spec import NetworkSpec, initial_params
from shoal.kernels.training.data import Samples, Shared, matrix, pack_data, shared_data
from shoal.kernels.training.fleet import Job, Member
from shoal.kernels.training.methods import METHODS, Method
from shoal.kernels.training.methods.descent import recorded_steps
from shoal.kernels.training.run import Note, Progress, run
from shoal.kernels.training.schedules import rates_of
from shoal.kernels.training.stopping import validation_steps

__all__ = [
    "ENGINE",
    "Gradients",
    "NetworkSpec",
    "Samples",
    "Trained",
    "gradients",
    "initial_params",
    "one_hot",
    "predict",
    "recorded_steps",
    "train",
    "train_on",
]

DTYPES = ("float64", "float32")
Key = tuple[NetworkSpec, int]
"""A specification without its steps, and the number of its data set."""


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


class Options(TypedDict, total=False):
    """How networks are trained, whichever they are; see `train_on`."""

    dtype: str
    progress: Progress | None
    note: Note | None
    n_threads: int | None


def train(
    specs: Sequence[NetworkSpec], x: np.ndarray, y: np.ndarray, *, seed: int, **options: Unpack[Options]
) -> list[Trained]:
    """Train every network of `specs` on x (n, n_features) and y (n, n_outputs): `train_on` with one data set."""
    return train_on(specs, [Samples(x, y)], [0] * len(specs), seed=seed, **options)


def train_on(
    specs: Sequence[NetworkSpec],
    datasets: Sequence[Samples],
    of: Sequence[int],
    *,
    seed: int,
    dtype: str = "float64",
    progress: Progress | None = None,
    note: Note | None = None,
    n_threads: int | None = None,
) -> list[Trained]:
    """Train specs[i] on datasets[of[i]], for every i in one compiled call a thread; results in the order of `specs`.

    Data sets may differ in everything. Which one a network is trained on is no part of its specification: neither its
    identity nor its bits depend on the place of a data set in a list. Arrays that data sets have in common (the inputs
    of several targets) are in memory once.

    A result is bit for bit the same whatever else is trained with it, in whatever order and on however many threads
    (`n_threads`; None is Numba's NUMBA_NUM_THREADS, by default one a processor). Networks that differ only in `steps`
    are trained once, to the largest, unless their schedule depends on it or they take validation costs. `progress(done,
    total, share)` is told the trained networks and the part of the work that is done from time to time; `note` is given
    a sentence where kernels have to be compiled first, which takes seconds. Raises ValueError for arrays or specs that
    do not fit together, numbers that are not finite, and other dtypes than DTYPES.
    """
    _check_dtype("dtype", dtype)
    if n_threads is not None and n_threads < 1:
        raise ValueError(f"n_threads {n_threads} is not 1 or more; None is one a processor")
    datasets = [samples.checked() for samples in datasets]
    _check_specs(specs, datasets, of)
    if not specs:
        return []
    keys = [(spec.without_steps(), which) for spec, which in zip(specs, of, strict=True)]
    jobs = _jobs(specs, keys, datasets)
    members = [_member(spec, which, datasets[which], seed) for spec, which in jobs]
    outcomes = run(list(jobs.values()), members, pack_data(datasets, np.dtype(dtype)), progress, note, n_threads)
    index = {key: i for i, key in enumerate(jobs)}
    return [result_of(spec, index[key], jobs[key], outcomes) for spec, key in zip(specs, keys, strict=True)]


def predict(architecture: Architecture, params: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Outputs (n, n_outputs) float64 for x (n, n_features), computed in the dtype of `params` (n_params,).

    NaN stays NaN, in the parameters of a diverged network and in x. Raises ValueError for arrays that do not fit the
    architecture.
    """
    x, params = matrix("x", x), np.array(params)
    layout = _fitting_layout(architecture, params, x)
    data = shared_data(Samples(x, np.zeros((len(x), 0))), params.dtype)
    outputs = np.empty(architecture.n_outputs * data.ld, params.dtype)
    single = _single(whole.predict_all, layout, params, data, architecture.n_outputs)
    whole.predict_all(params.dtype, packed(single), outputs)
    return np.ascontiguousarray(outputs.reshape(architecture.n_outputs, data.ld)[:, : data.n].T, np.float64)


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


def _check_dtype(name: str, dtype: str | np.dtype) -> None:
    if dtype not in DTYPES:
        raise ValueError(f"{name} {dtype} is not one that networks are trained in; allowed: {', '.join(DTYPES)}")


def _fitting_layout(architecture: Architecture, params: np.ndarray, x: np.ndarray) -> Layout:
    layout = layout_of(architecture, x.shape[1])
    _check_dtype("params: dtype", params.dtype)
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
        params=params,
        X=data.X,
        n=data.n,
        ld=data.ld,
        n_features=data.n_features,
        n_outputs=n_outputs,
        a=np.empty(layout.n_units * whole.TILE, params.dtype),
    )


def _check_specs(specs: Sequence[NetworkSpec], datasets: Sequence[Samples], of: Sequence[int]) -> None:
    """Raise ValueError where specs[i] cannot be trained on datasets[of[i]], or there is no such data set."""
    if len(of) != len(specs) or not all(0 <= which < len(datasets) for which in of):
        allowed = f"one of the {len(datasets)} data sets, from 0 on, for each of {len(specs)} specs"
        raise ValueError(f"of has {len(of)} numbers, {[*of][:8]} ...; it has to name {allowed}")
    for spec, which in zip(specs, of, strict=True):
        spec.check(*datasets[which].shape)
        if spec.is_validated and datasets[which].validation is None:
            raise ValueError(f"data set {which} has no validation samples, which {spec} needs for its keep or patience")
    for loss, which in {(spec.loss, which) for spec, which in zip(specs, of, strict=True)}:
        for samples in filter(None, (datasets[which], datasets[which].validation)):
            loss_of(loss).check(samples.y)


def _jobs(specs: Sequence[NetworkSpec], keys: Sequence[Key], datasets: Sequence[Samples]) -> dict[Key, Job]:
    """The job of each key, to all steps that its specs ask for; networks that train alike have one in memory."""
    steps: dict[Key, list[int]] = {}
    for key, spec in zip(keys, specs, strict=True):
        steps.setdefault(key, []).append(spec.steps or 0)
    jobs, alike = {}, dict[Job, Job]()
    for (spec, which), own in steps.items():
        job = _job(spec, tuple(sorted(set(own))), datasets[which])
        jobs[spec, which] = alike.setdefault(job, job)
    return jobs


def _job(spec: NetworkSpec, steps: tuple[int, ...], samples: Samples) -> Job:
    method = METHODS[spec.optimizer]
    return Job(
        layout=layout_of(spec.architecture, samples.x.shape[1]),
        method=spec.optimizer,
        hypers=method.hypers_of(spec),
        batch_size=spec.batch_size or 0,
        record_steps=_all_recorded(method, steps, spec.batch_size),
        snapshot_steps=steps,
        regularised=spec.regularised,
        rates=rates_of(spec, steps[-1], len(samples.x)),
        n_samples=len(samples.x),
        is_weighted=samples.weights is not None,
        loss=spec.loss,
        loss_hypers=loss_of(spec.loss).hypers_of(spec.loss_hypers),
        **_validation(spec, samples),
    )


def _validation(spec: NetworkSpec, samples: Samples) -> dict[str, Any]:
    """What a job has of its validation costs."""
    if not spec.is_validated or samples.validation is None:
        return {}
    return {
        "validation_steps": validation_steps(spec.steps or 0, spec.batch_size, len(samples.x), spec.validate_every),
        "n_validation": len(samples.validation.x),
        "is_validation_weighted": samples.validation.weights is not None,
    }


def _member(spec: NetworkSpec, which: int, samples: Samples, seed: int) -> Member:
    has_dropout = layout_of(spec.architecture, samples.x.shape[1]).n_masks > 0
    return Member(
        params=initial_params(spec, samples.x.shape[1], len(samples.x), seed),
        shuffle_key=streams.shuffle_key(seed, spec.replicate) if spec.batch_size else np.uint64(0),
        dropout_key=streams.dropout_key(seed, spec.replicate) if has_dropout else np.uint64(0),
        rate=spec.learning_rate or 0.0,
        data=which,
        l2=spec.l2,
        clip_norm=spec.clip_norm or np.inf,
        weight_decay=spec.decay,
        patience=np.inf if spec.patience is None else spec.patience,
        min_delta=spec.min_delta,
    )


@lru_cache(maxsize=256)
def _all_recorded(method: Method, steps: tuple[int, ...], batch_size: int | None) -> tuple[int, ...]:
    recorded = [method.recorded_steps(last, batch_size) for last in steps]
    return tuple(np.unique(np.concatenate(recorded)).tolist())
