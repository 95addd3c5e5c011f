"""The door to the kernels: train many networks, predict with one, differentiate one. Plain Python, no compiled code.

Arrays outside are sample-major, x (n_samples, n_features) and y (n_samples, n_outputs); inside they are feature-major.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple, Protocol, TypedDict, Unpack

import numpy as np

from shoal.kernels import streams
from shoal.kernels.compile.host import ENGINE
from shoal.kernels.network.losses import loss_of
from shoal.kernels.network.tape import layout_of
from shoal.kernels.results import Results, Trained, joined, results_of
from shoal.kernels.single import DTYPES, Gradients, check_dtype, gradients, one_hot, predict, predict_each
from shoal.kernels.spec import NetworkSpec, initial_params, initial_rows
from shoal.kernels.training.begun import Begun
from shoal.kernels.training.data import Samples, pack_data
from shoal.kernels.training.fleet import Job, Members
from shoal.kernels.training.methods import METHODS, Method
from shoal.kernels.training.methods.descent import recorded_steps
from shoal.kernels.training.run import Note, Pauses, Progress, run
from shoal.kernels.training.schedules import rates_of
from shoal.kernels.training.stopping import validation_steps

__all__ = [
    "DTYPES",
    "ENGINE",
    "Gradients",
    "Keeper",
    "NetworkSpec",
    "Replicates",
    "Results",
    "Samples",
    "Trained",
    "gradients",
    "initial_params",
    "one_hot",
    "predict",
    "predict_each",
    "recorded_steps",
    "train",
    "train_on",
    "train_replicates",
]

Key = tuple[NetworkSpec, int]
"""A specification without its steps, and the number of its data set."""


class Replicates(NamedTuple):
    """Networks that differ in their replicate alone: `numbers` (n,) are those, instead of that of `spec`."""

    spec: NetworkSpec
    numbers: np.ndarray


class Keeper(Protocol):
    """Has networks that are kept on their way, and is given them every so many `seconds`.

    They are replicates of wanted[i], and `steps` are all those that they are trained for at once, the last its own.
    """

    seconds: float

    def begun(self, i: int, steps: tuple[int, ...], numbers: np.ndarray) -> list[tuple[np.ndarray, Begun]]:
        """Those of the replicates that are kept, apart where they are not at one step."""
        ...

    def keep(self, networks: list[tuple[int, tuple[int, ...], np.ndarray, Begun]]) -> None:
        """Keep these, instead of those that it was given before."""
        ...


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
    if len(of) != len(specs) or not all(0 <= which < len(datasets) for which in of):
        allowed = f"one of the {len(datasets)} data sets, from 0 on, for each of {len(specs)} specs"
        raise ValueError(f"of has {len(of)} numbers, {[*of][:8]} ...; it has to name {allowed}")
    places: dict[Key, list[int]] = {}
    for i, (spec, which) in enumerate(zip(specs, of, strict=True)):
        places.setdefault((replace(spec, replicate=0), which), []).append(i)
    wanted = [Replicates(spec, np.array([specs[i].replicate for i in own])) for (spec, _), own in places.items()]
    options: Options = {"dtype": dtype, "progress": progress, "note": note, "n_threads": n_threads}
    found = train_replicates(wanted, datasets, [which for _, which in places], seed=seed, **options)
    trained = {
        i: results.network(k) for own, results in zip(places.values(), found, strict=True) for k, i in enumerate(own)
    }
    return [trained[i] for i in range(len(specs))]


def train_replicates(
    wanted: Sequence[Replicates],
    datasets: Sequence[Samples],
    of: Sequence[int],
    *,
    seed: int,
    keeper: Keeper | None = None,
    **options: Unpack[Options],
) -> list[Results]:
    """`train_on` for many networks, whose results are arrays: wanted[i] on datasets[of[i]], in that order.

    What the keeper has goes on from there, and what it is given can, on the same data, seed, dtype and engine.
    """
    dtype, n_threads = options.get("dtype", "float64"), options.get("n_threads")
    check_dtype("dtype", dtype)
    if n_threads is not None and n_threads < 1:
        raise ValueError(f"n_threads {n_threads} is not 1 or more; None is one a processor")
    datasets = [samples.checked() for samples in datasets]
    _check_specs([spec for spec, _ in wanted], datasets, of)
    if not wanted:
        return []
    runs = [
        part
        for key, places in _together(wanted, of).items()
        for run in _runs(key, places, wanted)
        for part in _parts(run, keeper)
    ]
    groups = [(_job(one, datasets[one.which]), _members(one, datasets[one.which], seed)) for one in runs]
    data = pack_data(datasets, np.dtype(dtype))
    outcomes = run(groups, data, options.get("progress"), options.get("note"), n_threads, _pauses(runs, keeper))
    parts: list[list[tuple[np.ndarray, Results]]] = [[] for _ in wanted]
    for one, (job, _), outcome in zip(runs, groups, outcomes, strict=True):
        for i in one.places:
            parts[i].append((one.numbers, results_of(wanted[i].spec, job, outcome)))
    return [_ordered(numbers, own) for (_, numbers), own in zip(wanted, parts, strict=True)]


class _Run(NamedTuple):
    """Networks that are trained once for all their steps: their numbers (n,), each once, and the places in the list of
    what is wanted that they are read off for, the one with the most steps last. `begun` is where they go on."""

    spec: NetworkSpec
    which: int
    steps: tuple[int, ...]
    numbers: np.ndarray
    places: tuple[int, ...]
    begun: Begun | None = None


def _together(wanted: Sequence[Replicates], of: Sequence[int]) -> dict[Key, list[int]]:
    """The places of those that differ in steps, and in the numbers of replicates, alone."""
    places: dict[Key, list[int]] = {}
    for i, (spec, _) in enumerate(wanted):
        places.setdefault((replace(spec.without_steps(), replicate=0), of[i]), []).append(i)
    return places


def _runs(key: Key, places: Sequence[int], wanted: Sequence[Replicates]) -> Iterator[_Run]:
    """Those replicates together that are wanted for the same steps."""
    numbers = np.unique(np.concatenate([wanted[i].numbers for i in places]))
    is_wanted = np.array([np.isin(numbers, wanted[i].numbers) for i in places])
    patterns, of_pattern = np.unique(is_wanted, axis=1, return_inverse=True)
    for k, pattern in enumerate(patterns.T):
        some = (i for i, is_in in zip(places, pattern, strict=True) if is_in)
        own = tuple(sorted(some, key=lambda i: wanted[i].spec.steps or 0))
        steps = tuple(sorted({wanted[i].spec.steps or 0 for i in own}))
        yield _Run(*key, steps, numbers[of_pattern.ravel() == k], own)


def _parts(run: _Run, keeper: Keeper | None) -> Iterator[_Run]:
    """Those apart that go on from one step, and those that begin."""
    kept = keeper.begun(run.places[-1], run.steps, run.numbers) if keeper else []
    for numbers, begun in kept:
        yield run._replace(numbers=numbers, begun=begun)
    rest = np.setdiff1d(run.numbers, np.concatenate([np.zeros(0, np.int64), *(numbers for numbers, _ in kept)]))
    if len(rest):
        yield run._replace(numbers=rest)


def _pauses(runs: Sequence[_Run], keeper: Keeper | None) -> Pauses | None:
    """When the keeper is given what networks, those that have made a step."""
    if keeper is None:
        return None

    def keep(found: Sequence[Begun]) -> None:
        networks = []
        for one, begun in zip(runs, found, strict=True):
            if (own := begun.steps > 0).any():
                networks.append((one.places[-1], one.steps, one.numbers[own], begun.taken(own)))
        keeper.keep(networks)

    return Pauses(keeper.seconds, keep)


def _ordered(numbers: np.ndarray, parts: Sequence[tuple[np.ndarray, Results]]) -> Results:
    """The results of these replicates, in this order, of parts that have them all."""
    has, results = np.concatenate([own for own, _ in parts]), joined([own for _, own in parts])
    if np.array_equal(has, numbers):
        return results
    order = np.argsort(has)
    return results.taken(order[np.searchsorted(has, numbers, sorter=order)])


def _check_specs(specs: Sequence[NetworkSpec], datasets: Sequence[Samples], of: Sequence[int]) -> None:
    """Raise ValueError where specs[i] cannot be trained on datasets[of[i]]."""
    for spec, which in zip(specs, of, strict=True):
        spec.check(*datasets[which].shape)
        if spec.is_validated and datasets[which].validation is None:
            raise ValueError(f"data set {which} has no validation samples, which {spec} needs for its keep or patience")
    for loss, which in {(spec.loss, which) for spec, which in zip(specs, of, strict=True)}:
        for samples in filter(None, (datasets[which], datasets[which].validation)):
            loss_of(loss).check(samples.y)


def _job(one: _Run, samples: Samples) -> Job:
    spec, steps = one.spec, one.steps
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
        first_step=int(one.begun.steps[0]) if one.begun else 0,
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


def _members(one: _Run, samples: Samples, seed: int) -> Members:
    spec, n, sizes = one.spec, len(one.numbers), (samples.x.shape[1], len(samples.x))
    has_dropout = layout_of(spec.architecture, samples.x.shape[1]).n_masks > 0
    return Members(
        params=one.begun.params if one.begun else initial_rows(spec, one.numbers, *sizes, seed),
        data=np.full(n, one.which),
        rates=np.full(n, spec.learning_rate or 0.0),
        l2=np.full(n, spec.l2),
        clip_norms=np.full(n, spec.clip_norm or np.inf),
        weight_decays=np.full(n, spec.decay),
        patience=np.full(n, np.inf if spec.patience is None else float(spec.patience)),
        min_deltas=np.full(n, spec.min_delta),
        shuffle_keys=streams.shuffle_keys(seed, one.numbers) if spec.batch_size else np.zeros(n, np.uint64),
        dropout_keys=streams.dropout_keys(seed, one.numbers) if has_dropout else np.zeros(n, np.uint64),
        begun=one.begun,
    )


@lru_cache(maxsize=256)
def _all_recorded(method: Method, steps: tuple[int, ...], batch_size: int | None) -> tuple[int, ...]:
    recorded = [method.recorded_steps(last, batch_size) for last in steps]
    return tuple(np.unique(np.concatenate(recorded)).tolist())
