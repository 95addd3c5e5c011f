"""The door to the kernels: train many networks, predict with one, differentiate one. Plain Python, no compiled code.

Arrays outside are sample-major, x (n_samples, n_features) and y (n_samples, n_outputs); inside they are feature-major.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from shoal.kernels import streams
from shoal.kernels.compile.host import ENGINE
from shoal.kernels.compile.linked import Linked, kernels_of, packed
from shoal.kernels.compile.warmup import load_all
from shoal.kernels.network import whole
from shoal.kernels.network.activate import activation_kernels, with_addresses
from shoal.kernels.network.architecture import Architecture
from shoal.kernels.network.tape import Layout, layout_of
from shoal.kernels.simd.lanes import SAMPLES
from shoal.kernels.spec import NetworkSpec, initial_params
from shoal.kernels.training.fleet import Job, Member, Shared, shared_data
from shoal.kernels.training.methods import METHODS, Method
from shoal.kernels.training.methods.descent import recorded_steps
from shoal.kernels.training.run import Note, Outcomes, Progress, run

__all__ = [
    "ENGINE",
    "Gradients",
    "NetworkSpec",
    "Trained",
    "gradients",
    "initial_params",
    "predict",
    "recorded_steps",
    "train",
]

DTYPES = ("float64", "float32")


@dataclass(frozen=True, slots=True)
class Trained:
    """One network's result: flat parameters (n_params,), and the cost per output at `recorded_steps`.

    `costs` is (n_recorded, n_outputs) float64, in the order of the steps; its row sums are half_mse. A network that
    diverged keeps what it recorded before `diverged_step`, the first step whose cost was not finite.

    With dropout, a full batch records the costs of the passes that are trained, with the masks of their step, as a loop
    around PyTorch's loss does; costs of mini-batches, recorded over all samples, are without masks, as predictions are.
    """

    params: np.ndarray
    recorded_steps: np.ndarray
    costs: np.ndarray
    diverged_step: int | None


@dataclass(frozen=True)
class Gradients:
    """Gradients of the mean cost over the samples given.

    half_mse (n_outputs,), its parts per output; W, b per dense layer in the order of the parameter row; a per node
    but the input (n_samples, units); x (n_samples, n_features).
    """

    half_mse: np.ndarray
    W: list[np.ndarray]
    b: list[np.ndarray]
    a: list[np.ndarray]
    x: np.ndarray


def train(
    specs: Sequence[NetworkSpec],
    x: np.ndarray,
    y: np.ndarray,
    *,
    seed: int,
    dtype: str = "float64",
    progress: Progress | None = None,
    note: Note | None = None,
    n_threads: int | None = None,
) -> list[Trained]:
    """Train every network of `specs` on x (n, n_features) and y (n, n_outputs); results in the order of `specs`.

    A result is bit for bit the same whatever else is trained with it, in whatever order and on however many threads
    (`n_threads`; None is Numba's NUMBA_NUM_THREADS, by default one a processor). Networks that differ only in `steps`
    are trained once, to the largest. `progress(done, total, share)` is told the trained networks and the part of the
    work that is done from time to time; `note` is given a sentence where kernels have to be compiled first, which takes
    seconds. Raises ValueError for arrays or specs that do not fit together, numbers that are not finite, and other
    dtypes than DTYPES.
    """
    x, y = _samples(x, y)
    _check_dtype("dtype", dtype)
    if n_threads is not None and n_threads < 1:
        raise ValueError(f"n_threads {n_threads} is not 1 or more; None is one a processor")
    for spec in specs:
        spec.check(len(x), x.shape[1], y.shape[1])
    if not specs:
        return []
    steps: dict[NetworkSpec, set[int]] = {}
    keys = [replace(spec, steps=None) for spec in specs]
    for key, spec in zip(keys, specs, strict=True):
        steps.setdefault(key, set()).add(spec.steps or 0)
    jobs = {key: _job(key, tuple(sorted(wanted)), x.shape[1]) for key, wanted in steps.items()}
    members = [_member(key, len(x), x.shape[1], seed) for key in jobs]
    data = shared_data(x, y, np.dtype(dtype))
    outcomes = run(list(jobs.values()), members, data, progress, note, n_threads)
    index = {key: i for i, key in enumerate(jobs)}
    return [_result(spec, index[key], jobs[key], outcomes) for spec, key in zip(specs, keys, strict=True)]


def predict(architecture: Architecture, params: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Outputs (n, n_outputs) float64 for x (n, n_features), computed in the dtype of `params` (n_params,).

    NaN stays NaN, in the parameters of a diverged network and in x. Raises ValueError for arrays that do not fit the
    architecture.
    """
    x, params = _matrix("x", x), np.array(params)
    layout = _fitting_layout(architecture, params, x)
    data = shared_data(x, np.zeros((len(x), 0)), params.dtype)
    outputs = np.empty(architecture.n_outputs * data.ld, params.dtype)
    single = _single(whole.predict_all, layout, params, data, architecture.n_outputs)
    whole.predict_all(params.dtype, packed(single), outputs)
    return np.ascontiguousarray(outputs.reshape(architecture.n_outputs, data.ld)[:, : data.n].T, np.float64)


def gradients(architecture: Architecture, params: np.ndarray, x: np.ndarray, y: np.ndarray) -> Gradients:
    """Cost and gradients over x (n, n_features), y (n, n_outputs), in the dtype of `params` (n_params,).

    Dropout does nothing. Raises ValueError for arrays that do not fit the architecture or each other, and numbers in x
    or y that are not finite.
    """
    (x, y), params = _samples(x, y), np.array(params)
    layout, dtype = _fitting_layout(architecture, params, x), params.dtype
    if architecture.n_outputs != y.shape[1]:
        raise ValueError(f"'{architecture}' ends with {architecture.n_outputs} outputs; y has {y.shape[1]}")
    data = shared_data(x, y, dtype)
    to = whole.Gradient(
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


def _samples(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    x, y = _matrix("x", x), _matrix("y", y)
    if len(x) != len(y) or not len(x):
        raise ValueError(f"x has {len(x)} samples and y has {len(y)}; both need the same number, at least 1")
    _check_finite("x", x)
    _check_finite("y", y)
    return x, y


def _matrix(name: str, values: np.ndarray) -> np.ndarray:
    values = np.asarray(values)
    if values.ndim != 2:
        raise ValueError(f"{name} has shape {values.shape}; it needs two dimensions, (n_samples, columns)")
    if values.dtype.kind not in "biuf":
        raise ValueError(f"{name} has dtype {values.dtype}; it needs numbers")
    return values


def _check_finite(name: str, values: np.ndarray) -> None:
    bad = np.argwhere(~np.isfinite(values))
    if bad.size:
        row, column = bad[0]
        found = f"{values[row, column]} in row {row}, column {column} (counted from 0)"
        raise ValueError(f"{name} has {found}; all of its numbers must be finite")


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


def _job(spec: NetworkSpec, steps: tuple[int, ...], n_features: int) -> Job:
    method = METHODS[spec.optimizer]
    return Job(
        layout=layout_of(spec.architecture, n_features),
        method=spec.optimizer,
        hypers=method.hypers_of(spec),
        batch_size=spec.batch_size or 0,
        record_steps=_all_recorded(method, steps, spec.batch_size),
        snapshot_steps=steps,
    )


def _member(spec: NetworkSpec, n_samples: int, n_features: int, seed: int) -> Member:
    has_dropout = layout_of(spec.architecture, n_features).n_masks > 0
    return Member(
        params=initial_params(spec, n_features, n_samples, seed),
        shuffle_key=streams.shuffle_key(seed, spec.replicate) if spec.batch_size else np.uint64(0),
        dropout_key=streams.dropout_key(seed, spec.replicate) if has_dropout else np.uint64(0),
        rate=spec.learning_rate or 0.0,
    )


@lru_cache(maxsize=256)
def _all_recorded(method: Method, steps: tuple[int, ...], batch_size: int | None) -> tuple[int, ...]:
    recorded = [method.recorded_steps(last, batch_size) for last in steps]
    return tuple(np.unique(np.concatenate(recorded)).tolist())


def _result(spec: NetworkSpec, i: int, job: Job, outcomes: Outcomes) -> Trained:
    """Read a spec's own result off a run that may have gone on longer, and recorded more, than the spec asks for."""
    last = spec.steps or 0
    own = METHODS[spec.optimizer].recorded_steps(last, spec.batch_size)
    costs, stopped = outcomes.curve(i), outcomes.stopped(i)
    if len(own) < len(costs):
        costs = costs[np.searchsorted(job.record_steps, own)]
    params = outcomes.snapshot(i, job.snapshot_steps.index(last))
    bad = own[~np.isfinite(costs.sum(axis=1))]
    if 0 <= stopped < last:
        bad = np.append(bad, stopped)
    if not bad.size:
        return Trained(params, own, costs, None)
    kept = own < bad.min()
    return Trained(params, own[kept], costs[kept], int(bad.min()))
