"""The door to the kernels: train many networks, predict with one, differentiate one. Plain Python, no compiled code.

Arrays outside are sample-major, x (n_samples, n_features) and y (n_samples, n_outputs); inside they are feature-major.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numba
import numpy as np

from kernels import initialise, passes, rng, training
from kernels._jit import compiled_before as compiled_before
from kernels.architecture import Activation, Architecture
from kernels.jobs import DESCENT, RIDGE, Job, Packed, pack
from kernels.layout import Layout, layout_of

INITIALISERS = ("assignment", "assignment-stream")
OPTIMIZERS = ("gd", "ridge")
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class NetworkSpec:
    """What to train: everything that determines the result except the data, the root seed and the dtype.

    `batch_size` None is full batch; a ridge readout (`optimizer` "ridge") has `alpha` and no rate, batch or steps.
    """

    architecture: Architecture
    initialiser: str
    replicate: int
    optimizer: str = "gd"
    learning_rate: float | None = None
    batch_size: int | None = None
    steps: int | None = None
    alpha: float | None = None


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

    half_mse (n_outputs,), its parts per output; W, b per dense layer in the order of the parameter row; a per operation
    (n_samples, units); x (n_samples, n_features).
    """

    half_mse: np.ndarray
    W: list[np.ndarray]
    b: list[np.ndarray]
    a: list[np.ndarray]
    x: np.ndarray


def recorded_steps(steps: int, batch_size: int | None) -> np.ndarray:
    """Steps whose cost is recorded: all of 0..steps for full batch, else 0 and about 50 log-spaced up to `steps`."""
    if batch_size is None:
        return np.arange(steps + 1)
    return np.unique(np.concatenate([[0], np.rint(np.geomspace(1, steps, 50))]).astype(np.int64))


def initial_params(spec: NetworkSpec, n_features: int, n_samples: int, seed: int) -> np.ndarray:
    """The flat float64 row (n_params,) that training starts from."""
    layout = layout_of(spec.architecture, n_features)
    if spec.initialiser == "assignment-stream" and spec.replicate == 0:
        return initialise.assignment_stream(layout, seed, _assignment_activation(spec, layout), n_samples)
    return initialise.assignment(layout, seed, spec.replicate)


def _assignment_activation(spec: NetworkSpec, layout: Layout) -> str:
    if spec.architecture.branches or tuple(layout.sizes) != initialise.ASSIGNMENT_SIZES:
        raise ValueError(f"'{spec.architecture}' is not a 1-100-100-1 network, which assignment-stream needs")
    names = [layer.name for layer in spec.architecture.trunk if isinstance(layer, Activation)]
    return names[0]


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
    x, y = _matrix("x", x), _matrix("y", y)
    if len(x) != len(y) or not len(x):
        raise ValueError(f"x has {len(x)} samples and y has {len(y)}; both need the same number, at least 1")
    for spec in specs:
        _check(spec, len(x), y.shape[1])
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
    """Outputs (n, n_outputs) float64 for x (n, n_features), computed in the dtype of `params` (n_params,)."""
    x = _matrix("x", x)
    layout = _fitting_layout(architecture, params, x)
    X = np.ascontiguousarray(x.T, params.dtype)
    Y = np.empty((architecture.n_outputs, len(x)), params.dtype)
    passes.predict_one(layout.ops, layout.sizes, params, X, Y)
    return np.ascontiguousarray(Y.T, np.float64)


def gradients(architecture: Architecture, params: np.ndarray, x: np.ndarray, y: np.ndarray) -> Gradients:
    """Cost and gradients over x (n, n_features), y (n, n_outputs), in the dtype of `params`; needs n >= 1."""
    x, y = _matrix("x", x), _matrix("y", y)
    layout = _fitting_layout(architecture, params, x)
    X, Y = np.ascontiguousarray(x.T, params.dtype), np.ascontiguousarray(y.T, params.dtype)
    costs, grads = np.zeros(len(Y)), np.zeros_like(params)
    deltas = np.empty((layout.sizes.sum(), len(x)), params.dtype)
    passes.differentiate_one(layout.ops, layout.sizes, params, X, Y, costs, grads, deltas)
    nodes = [block.T for block in np.split(deltas, np.cumsum(layout.sizes)[:-1])]
    pairs = list(layout.weights(grads))
    return Gradients(costs, [W for W, _ in pairs], [b for _, b in pairs], nodes[1:], nodes[0])


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


def _check(spec: NetworkSpec, n_samples: int, n_outputs: int) -> None:
    if spec.architecture.n_outputs != n_outputs:
        raise ValueError(f"'{spec.architecture}' ends with {spec.architecture.n_outputs} outputs; y has {n_outputs}")
    if spec.optimizer not in OPTIMIZERS or spec.initialiser not in INITIALISERS:
        raise ValueError(f"unknown optimizer or initialiser in {spec}; allowed: {OPTIMIZERS}, {INITIALISERS}")
    needed = (spec.alpha,) if spec.optimizer == "ridge" else (spec.learning_rate, spec.steps)
    if None in needed:
        raise ValueError(f"{spec} lacks what its optimizer needs (gd: learning_rate, steps; ridge: alpha)")
    if spec.batch_size is not None and not 1 <= spec.batch_size <= n_samples:
        raise ValueError(
            f"batch_size {spec.batch_size} is not between 1 and the {n_samples} samples; None is full batch"
        )


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
    failures: list[BaseException] = []

    def call() -> None:
        try:
            training.train_many(
                numba.get_num_threads(), queue, done, packed.stopped, packed.jobs, packed.tapes, packed.node_sizes,
                X, Y, packed.params, packed.record_steps, packed.costs, packed.snapshot_steps, packed.snapshots,
            )  # fmt: skip
        except BaseException as failure:
            failures.append(failure)

    thread = threading.Thread(target=call)
    thread.start()
    try:
        while thread.is_alive():
            thread.join(0.1)
            if progress:
                progress(int(done[0]), total)
    finally:
        queue[0] = total  # after an interrupt: no further job is begun
        thread.join()
    if failures:
        raise failures[0]
