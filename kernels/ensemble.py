"""The door to the kernels: train many networks, predict with one, differentiate one. Plain Python, no compiled code.

Arrays outside are sample-major, x (n_samples, n_features) and y (n_samples, n_outputs); inside they are feature-major.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, replace

import numba
import numpy as np

from kernels import passes, rng, training
from kernels._jit import compiled_before
from kernels.architecture import Architecture
from kernels.jobs import DESCENT, RIDGE, Job, Packed, pack
from kernels.layout import Layout, layout_of
from kernels.spec import NetworkSpec, initial_params, recorded_steps

__all__ = [
    "Gradients",
    "NetworkSpec",
    "Trained",
    "compiled_before",
    "gradients",
    "initial_params",
    "predict",
    "recorded_steps",
    "train",
]

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Trained:
    """One network's result: flat parameters (n_params,), and the cost per output at `recorded_steps`.

    `costs` is (n_recorded, n_outputs) float64, in the order of the steps; its row sums are half_mse. A network that
    diverged keeps what it recorded before `diverged_step`, the first step whose cost was not finite.
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
) -> list[Trained]:
    """Train every network of `specs` on x (n, n_features) and y (n, n_outputs); results in the order of `specs`.

    A result is bit for bit the same whatever else is trained with it, in whatever order and on however many threads.
    Networks that differ only in `steps` are trained once, to the largest. `progress(done, total)` counts the trained
    networks from time to time. Raises ValueError for arrays or specs that do not fit together.
    """
    x, y = _samples(x, y)
    for spec in specs:
        spec.check(len(x), y.shape[1])
    if not specs:
        return []
    X, Y = np.ascontiguousarray(x.T, dtype), np.ascontiguousarray(y.T, dtype)
    groups: dict[NetworkSpec, set[int]] = {}
    for spec in specs:
        groups.setdefault(replace(spec, steps=None), set()).add(spec.steps or 0)
    jobs = {key: _job(key, steps, len(X), len(x), seed) for key, steps in groups.items()}
    ordered = sorted(jobs, key=lambda key: _work(jobs[key], len(x)), reverse=True)  # so that no thread idles at the end
    packed = pack([jobs[key] for key in ordered], len(Y), np.dtype(dtype))
    _run(packed, X, Y, progress)
    index = {key: i for i, key in enumerate(ordered)}
    keys = [replace(spec, steps=None) for spec in specs]
    return [_result(spec, jobs[key], packed, index[key]) for spec, key in zip(specs, keys, strict=True)]


def predict(architecture: Architecture, params: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Outputs (n, n_outputs) float64 for x (n, n_features), computed in the dtype of `params` (n_params,).

    Raises ValueError for arrays that do not fit the architecture.
    """
    x, params = _matrix("x", x), np.array(params)
    layout = _fitting_layout(architecture, params, x)
    X = np.ascontiguousarray(x.T, params.dtype)
    Y = np.empty((architecture.n_outputs, len(x)), params.dtype)
    passes.predict_one(layout.ops, layout.sizes, params, X, Y)
    return np.ascontiguousarray(Y.T, np.float64)


def gradients(architecture: Architecture, params: np.ndarray, x: np.ndarray, y: np.ndarray) -> Gradients:
    """Cost and gradients over x (n, n_features), y (n, n_outputs), in the dtype of `params` (n_params,).

    Raises ValueError for arrays that do not fit the architecture or each other.
    """
    (x, y), params = _samples(x, y), np.array(params)
    layout = _fitting_layout(architecture, params, x)
    if architecture.n_outputs != y.shape[1]:
        raise ValueError(f"'{architecture}' ends with {architecture.n_outputs} outputs; y has {y.shape[1]}")
    X, Y = np.ascontiguousarray(x.T, params.dtype), np.ascontiguousarray(y.T, params.dtype)
    costs, grads = np.zeros(len(Y)), np.zeros_like(params)
    deltas = np.empty((layout.sizes.sum(), len(x)), params.dtype)
    passes.differentiate_one(layout.ops, layout.sizes, params, X, Y, costs, grads, deltas)
    nodes = [block.T for block in np.split(deltas, np.cumsum(layout.sizes)[:-1])]
    pairs = list(layout.weights(grads))
    return Gradients(costs, [W for W, _ in pairs], [b for _, b in pairs], nodes[1:], nodes[0])


def _samples(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    x, y = _matrix("x", x), _matrix("y", y)
    if len(x) != len(y) or not len(x):
        raise ValueError(f"x has {len(x)} samples and y has {len(y)}; both need the same number, at least 1")
    return x, y


def _matrix(name: str, values: np.ndarray) -> np.ndarray:
    values = np.asarray(values)
    if values.ndim != 2:
        raise ValueError(f"{name} has shape {values.shape}; it needs two dimensions, (n_samples, columns)")
    return values


def _fitting_layout(architecture: Architecture, params: np.ndarray, x: np.ndarray) -> Layout:
    layout = layout_of(architecture, x.shape[1])
    if params.shape != (layout.n_params,):
        raise ValueError(
            f"params has shape {params.shape}; '{architecture}' with {x.shape[1]} inputs needs ({layout.n_params},)"
        )
    return layout


def _job(spec: NetworkSpec, steps: set[int], n_features: int, n_samples: int, seed: int) -> Job:
    batch_size = spec.batch_size
    ridge = spec.optimizer == "ridge"
    records = [np.zeros(1, np.int64)] if ridge else [recorded_steps(last, batch_size) for last in steps]
    return Job(
        layout=layout_of(spec.architecture, n_features),
        params=initial_params(spec, n_features, n_samples, seed),
        method=RIDGE if ridge else DESCENT,
        batch_size=batch_size or 0,
        shuffle_key=rng.shuffle_key(seed, spec.replicate),
        rate=(spec.alpha if ridge else spec.learning_rate) or 0.0,
        record_steps=np.unique(np.concatenate(records)),
        snapshot_steps=np.array(sorted(steps), np.int64),
    )


def _work(job: Job, n_samples: int) -> int:
    return int(job.layout.flops_per_sample * (job.batch_size or n_samples) * max(job.snapshot_steps[-1], 1))


def _result(spec: NetworkSpec, job: Job, packed: Packed, i: int) -> Trained:
    """Read a spec's own result off a run that may have gone on longer, and recorded more, than the spec asks for."""
    last = spec.steps or 0
    ridge = spec.optimizer == "ridge"
    own = np.zeros(1, np.int64) if ridge else recorded_steps(last, spec.batch_size)
    costs = packed.curve(i)[np.searchsorted(job.record_steps, own)]
    params = packed.snapshot(i, int(np.searchsorted(job.snapshot_steps, last)))
    bad = own[~np.isfinite(costs.sum(axis=1))]
    stopped = packed.stopped[i]
    if 0 <= stopped < last:
        bad = np.append(bad, stopped)
    if not bad.size:
        return Trained(params, own, costs, None)
    kept = own < bad.min()
    return Trained(params, own[kept], costs[kept], int(bad.min()))


def _run(packed: Packed, X: np.ndarray, Y: np.ndarray, progress: Progress | None) -> None:
    """Make the compiled call on a thread of its own, so that progress and Ctrl-C work while it runs."""
    queue, done, total = np.zeros(1, np.int64), np.zeros(1, np.int64), len(packed.jobs)
    n_threads = numba.get_num_threads()

    def train_many() -> None:
        numba.set_num_threads(n_threads)  # Numba keeps the number per thread
        training.train_many(
            n_threads, queue, done, packed.stopped, packed.jobs, packed.tapes, packed.node_sizes,
            X, Y, packed.params, packed.record_steps, packed.costs, packed.snapshot_steps, packed.snapshots,
        )  # fmt: skip

    with ThreadPoolExecutor(max_workers=1) as pool:
        call = pool.submit(train_many)
        try:
            while not call.done():
                wait([call], timeout=0.1)
                if progress:
                    progress(int(done[0]), total)
        finally:
            queue[0] = total  # after an interrupt: no further job is begun
    call.result()
    if progress:
        progress(total, total)
