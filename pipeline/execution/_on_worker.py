"""What a worker of a cluster is given to run: what it is, and networks to train."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from distributed import get_worker

from shoal.kernels.ensemble import ENGINE, NetworkSpec, Replicates, Results, Samples, train_replicates
from shoal.pipeline.store.entries import probes

_one = threading.Lock()


class WorkerKind(NamedTuple):
    """What the bits of a worker's results depend on; `bits` are those of the probes, where the rest is as it should."""

    engine: str
    source: str
    bits: str = ""

    def __str__(self) -> str:
        return f"{self.engine}, sources {self.source[:8]}" + (f", bits {self.bits}" if self.bits else "")


def same(data: Sequence[Samples]) -> Sequence[Samples]:
    """The data as a result, which Dask brings to whoever needs it, and makes anew where it is lost."""
    return data


def kind_of(wanted: WorkerKind, networks: Sequence[tuple[NetworkSpec, int]], dtype: str) -> WorkerKind:
    """On a worker: what it is. Where nothing else tells it from what is wanted, it trains the networks' probes."""
    kind = WorkerKind(ENGINE, probes.source())
    if kind != wanted._replace(bits=""):
        return kind
    with _one:
        return kind._replace(bits=short(probes.engines(networks, dtype)))


def trained(
    networks: list[Replicates], of: list[int], data: Sequence[Samples], seed: int, dtype: str
) -> tuple[list[Results], float]:
    """On a worker: the results, and the seconds that they took; one chunk at a time on all of its threads."""
    with _one:
        start, n_threads = time.perf_counter(), get_worker().state.nthreads
        results = train_replicates(networks, data, of, seed=seed, dtype=dtype, n_threads=n_threads)
        return results, time.perf_counter() - start


def short(engines: Iterable[str]) -> str:
    """The bits of all probes as one short word."""
    return hashlib.sha256(", ".join(sorted(set(engines))).encode()).hexdigest()[:8]
