"""Which of the networks that are wanted are trained at once, as what: those that differ in steps alone are one run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

import numpy as np

from shoal.kernels import streams
from shoal.kernels.network.losses import loss_of
from shoal.kernels.network.tape import layout_of
from shoal.kernels.results import Results, joined
from shoal.kernels.spec import NetworkSpec, initial_rows
from shoal.kernels.training.begun import Begun
from shoal.kernels.training.data import Samples
from shoal.kernels.training.fleet import Job, Members
from shoal.kernels.training.methods import METHODS, Method
from shoal.kernels.training.run import Pauses
from shoal.kernels.training.schedules import rates_of
from shoal.kernels.training.stopping import validation_steps

Key = tuple[NetworkSpec, int]
"""A specification without its steps, and the number of its data set."""
Starts = dict[tuple[Any, ...], np.ndarray]
"""Initial parameters (n, n_params) of replicates, by all that they depend on: cells of a sweep may share them."""


class Replicates(NamedTuple):
    """Networks that differ in their replicate alone: `numbers` (n,) are those, instead of that of `spec`."""

    spec: NetworkSpec
    numbers: np.ndarray


class Keeper(Protocol):
    """Has networks that are kept on their way, and is given them every so many `seconds`.

    They are replicates of wanted[i], and `steps` are all those that they are trained for at once, the last its own;
    of `places` i is the last, and all have them.
    """

    seconds: float

    def begun(
        self, places: tuple[int, ...], steps: tuple[int, ...], numbers: np.ndarray
    ) -> list[tuple[np.ndarray, Begun]]:
        """Those of the replicates that are kept, apart where they are not at one step."""
        ...

    def keep(self, networks: list[tuple[int, tuple[int, ...], np.ndarray, Begun]]) -> None:
        """Keep these, instead of those that it was given before."""
        ...


class Run(NamedTuple):
    """Networks that are trained once for all their steps: their numbers (n,), each once, and the places in the list of
    what is wanted that they are read off for, the one with the most steps last. `begun` is where they go on."""

    spec: NetworkSpec
    which: int
    steps: tuple[int, ...]
    numbers: np.ndarray
    places: tuple[int, ...]
    begun: Begun | None = None


def runs_of(wanted: Sequence[Replicates], of: Sequence[int], keeper: Keeper | None) -> list[Run]:
    """Runs that have all of wanted[i] on data set of[i]; those that the keeper has go on."""
    return [
        part
        for key, places in _together(wanted, of).items()
        for run in _runs(key, places, wanted)
        for part in _parts(run, keeper)
    ]


def _together(wanted: Sequence[Replicates], of: Sequence[int]) -> dict[Key, list[int]]:
    """The places of those that differ in steps, and in the numbers of replicates, alone."""
    places: dict[Key, list[int]] = {}
    for i, (spec, _) in enumerate(wanted):
        places.setdefault((replace(spec.without_steps(), replicate=0), of[i]), []).append(i)
    return places


def _runs(key: Key, places: Sequence[int], wanted: Sequence[Replicates]) -> Iterator[Run]:
    """Those replicates together that are wanted for the same steps."""
    if len(places) == 1:
        spec, numbers = wanted[places[0]]
        yield Run(*key, (spec.steps or 0,), np.unique(numbers), (places[0],))
        return
    numbers = np.unique(np.concatenate([wanted[i].numbers for i in places]))
    is_wanted = np.array([np.isin(numbers, wanted[i].numbers) for i in places])
    patterns, of_pattern = np.unique(is_wanted, axis=1, return_inverse=True)
    for k, pattern in enumerate(patterns.T):
        some = (i for i, is_in in zip(places, pattern, strict=True) if is_in)
        own = tuple(sorted(some, key=lambda i: wanted[i].spec.steps or 0))
        steps = tuple(sorted({wanted[i].spec.steps or 0 for i in own}))
        yield Run(*key, steps, numbers[of_pattern.ravel() == k], own)


def _parts(run: Run, keeper: Keeper | None) -> Iterator[Run]:
    """Those apart that go on from one step, and those that begin."""
    kept = keeper.begun(run.places, run.steps, run.numbers) if keeper else []
    for numbers, begun in kept:
        yield run._replace(numbers=numbers, begun=begun)
    rest = np.setdiff1d(run.numbers, np.concatenate([np.zeros(0, np.int64), *(numbers for numbers, _ in kept)]))
    if len(rest):
        yield run._replace(numbers=rest)


def pauses(runs: Sequence[Run], keeper: Keeper | None) -> Pauses | None:
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


def ordered(numbers: np.ndarray, parts: Sequence[tuple[np.ndarray, Results]]) -> Results:
    """The results of these replicates, in this order, of parts that have them all."""
    has, results = np.concatenate([own for own, _ in parts]), joined([own for _, own in parts])
    if np.array_equal(has, numbers):
        return results
    order = np.argsort(has)
    return results.taken(order[np.searchsorted(has, numbers, sorter=order)])


def job_of(one: Run, samples: Samples) -> Job:
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


def members_of(one: Run, samples: Samples, seed: int, starts: Starts) -> Members:
    """The networks of a run; `starts` has initial parameters that were drawn before, and gets those drawn now."""
    spec, n, sizes = one.spec, len(one.numbers), (samples.x.shape[1], len(samples.x))
    has_dropout = layout_of(spec.architecture, samples.x.shape[1]).n_masks > 0
    start = spec.architecture, spec.initialiser, spec.bias, spec.init_hypers, *sizes, one.numbers.tobytes()
    if not one.begun and start not in starts:
        starts[start] = initial_rows(spec, one.numbers, *sizes, seed)
    return Members(
        params=one.begun.params if one.begun else starts[start],
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
