"""The door to the kernels: train many networks, predict with one, differentiate one. Plain Python, no compiled code.

Arrays outside are sample-major, x (n_samples, n_features) and y (n_samples, n_outputs); inside they are feature-major.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypedDict, Unpack

import numpy as np

from shoal.kernels.compile.host import ENGINE
from shoal.kernels.network.losses import loss_of
from shoal.kernels.results import Results, Trained, results_of
from shoal.kernels.runs import Keeper, Key, Replicates, Starts, job_of, members_of, ordered, pauses, runs_of
from shoal.kernels.single import DTYPES, Gradients, check_dtype, gradients, one_hot, predict, predict_each
from shoal.kernels.spec import NetworkSpec, initial_params
from shoal.kernels.training.data import Samples, pack_data
from shoal.kernels.training.methods.descent import recorded_steps
from shoal.kernels.training.run import Note, Progress, run

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
    _check_of(of, len(specs), len(datasets))
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

    What the keeper has goes on from there, and what it is given can, on the same data, seed, dtype and engine. Raises
    what `train_on` does.
    """
    dtype, n_threads = options.get("dtype", "float64"), options.get("n_threads")
    check_dtype("dtype", dtype)
    if n_threads is not None and n_threads < 1:
        raise ValueError(f"n_threads {n_threads} is not 1 or more; None is one a processor")
    _check_of(of, len(wanted), len(datasets))
    datasets = [samples.checked() for samples in datasets]
    _check_specs([spec for spec, _ in wanted], datasets, of)
    if not wanted:
        return []
    runs = runs_of(wanted, of, keeper)
    starts: Starts = {}
    groups = [(job_of(one, datasets[one.which]), members_of(one, datasets[one.which], seed, starts)) for one in runs]
    data = pack_data(datasets, np.dtype(dtype))
    outcomes = run(groups, data, options.get("progress"), options.get("note"), n_threads, pauses(runs, keeper))
    parts: list[list[tuple[np.ndarray, Results]]] = [[] for _ in wanted]
    for one, (job, _), outcome in zip(runs, groups, outcomes, strict=True):
        for i in one.places:
            parts[i].append((one.numbers, results_of(wanted[i].spec, job, outcome)))
    return [ordered(numbers, own) for (_, numbers), own in zip(wanted, parts, strict=True)]


def _check_of(of: Sequence[int], n_specs: int, n_sets: int) -> None:
    """Raise ValueError where `of` does not name a data set for each specification: compiled code would not notice."""
    if len(of) != n_specs or not all(0 <= which < n_sets for which in of):
        allowed = f"one of the {n_sets} data sets, from 0 on, for each of {n_specs} specs"
        raise ValueError(f"of has {len(of)} numbers, {[*of][:8]} ...; it has to name {allowed}")


def _check_specs(specs: Sequence[NetworkSpec], datasets: Sequence[Samples], of: Sequence[int]) -> None:
    """Raise ValueError where specs[i] cannot be trained on datasets[of[i]]."""
    for spec, which in zip(specs, of, strict=True):
        spec.check(*datasets[which].shape)
        if spec.is_validated and datasets[which].validation is None:
            raise ValueError(f"data set {which} has no validation samples, which {spec} needs for its keep or patience")
    for loss, which in {(spec.loss, which) for spec, which in zip(specs, of, strict=True)}:
        for samples in filter(None, (datasets[which], datasets[which].validation)):
            loss_of(loss).check(samples.y)
