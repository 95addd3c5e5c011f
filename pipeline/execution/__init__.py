"""Where networks are trained: on the threads of this process, or by workers elsewhere. Bits are the same either way.

An engine is a file here with the name that params.yaml has for it, whose `started(address, task, note)` is a context
that gives an Engine. What it needs beside shoal's own dependencies it imports at its top.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from importlib import import_module
from typing import Any, NamedTuple, Protocol

import numpy as np

from shoal.kernels.ensemble import NetworkSpec, Replicates, Results, Samples
from shoal.kernels.training.run import Note
from shoal.pipeline.config import ConfigError, Execution, Fault
from shoal.pipeline.store.entries.begun import ChunkKeeper

Tell = Callable[["Chunk", int, float], None]
"""Called with a chunk under way, its trained networks, and which part of its work is done, from 0 to 1."""


class TrainingTask(NamedTuple):
    """What all networks to train have in common; `engines` are their engine's bits (store/entries), each with one of
    the networks that depend on them, and how many samples that is trained on."""

    data: Sequence[Samples]
    seed: int
    dtype: str
    engines: Mapping[str, tuple[NetworkSpec, int]]


class Chunk(NamedTuple):
    """Networks that are trained in one go, their operations in all, and where they are in a list of the caller's: which
    of its groups, and at which places there; `of` says which of the task's data sets each group is trained on, `keeper`
    who has and keeps networks on their way, which an engine may leave out."""

    places: list[tuple[int, np.ndarray]]
    networks: list[Replicates]
    of: list[int]
    work: float
    keeper: ChunkKeeper | None = None


class DoneChunk(NamedTuple):
    """The results of a chunk, in its order, and the seconds of training."""

    chunk: Chunk
    results: list[Results]
    seconds: float


class Engine(Protocol):
    """What trains chunks: each on so many threads, in about so many seconds."""

    n_threads: int
    seconds: float

    def train(self, chunks: Iterator[Chunk], tell: Tell) -> Iterator[DoneChunk]:
        """Train every chunk; they come back as they are done, in any order."""
        ...


def started(where: Execution, task: TrainingTask, note: Note) -> AbstractContextManager[Engine]:
    """The engine that params.yaml asks for, ready to train; raises ConfigError where its package is not there."""
    if found := faults(where):
        raise ConfigError(found)
    engine: AbstractContextManager[Engine] = _file(where).started(where.address, task, note)
    return engine


def faults(where: Execution) -> list[Fault]:
    """A fault where the engine needs a package that is not installed."""
    try:
        _file(where)
    except ModuleNotFoundError as error:
        allowed = f"local; or {where.engine} after `pip install {error.name}`"
        return [Fault("execution.engine", f"{where.engine}, but no package {error.name}", allowed)]
    return []


def _file(where: Execution) -> Any:
    return import_module(f"{__name__}.{where.engine}")
