"""Networks trained here, chunk after chunk, each on all threads of this process."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import numba

from shoal.kernels.ensemble import Options, train_replicates
from shoal.kernels.training.run import Note, Progress
from shoal.pipeline.execution import Chunk, Done, Task, Tell


@contextmanager
def started(address: None, task: Task, note: Note) -> Iterator[Threads]:
    """The threads, which are always ready."""
    yield Threads(task, note)


class Threads:
    """An engine of as many threads as Numba is told to use."""

    seconds = 3.0  # of work that a kill may cost; longer networks are kept on their way

    def __init__(self, task: Task, note: Note) -> None:
        self.n_threads: int = numba.config.NUMBA_NUM_THREADS
        self._task, self._note = task, note

    def train(self, chunks: Iterator[Chunk], tell: Tell) -> Iterator[Done]:
        """Train the chunks in their order; the next is asked for when one is done."""
        data, seed, dtype, _ = self._task
        for chunk in chunks:
            start = time.perf_counter()
            wanted, told = (chunk.networks, data, chunk.of), _of_chunk(tell, chunk)
            options: Options = {"dtype": dtype, "progress": told, "note": self._note}
            results = train_replicates(*wanted, seed=seed, keeper=chunk.keeper, **options)
            yield Done(chunk, results, time.perf_counter() - start)


def _of_chunk(tell: Tell, chunk: Chunk) -> Progress:
    """What the kernels tell, without how many there are in all."""
    return lambda done, total, share: tell(chunk, done, share)
