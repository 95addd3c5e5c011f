"""Networks trained here, chunk after chunk, each on all threads of this process."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event

import numba

from shoal.kernels.ensemble import Options, train_replicates
from shoal.kernels.training.run import Note
from shoal.pipeline.execution import Chunk, DoneChunk, Tell, TrainingTask


@contextmanager
def started(address: None, task: TrainingTask, note: Note) -> Iterator[Threads]:
    """The threads, which are always ready."""
    with ThreadPoolExecutor(1) as pool:
        threads = Threads(task, note, pool)
        try:
            yield threads
        finally:
            threads.is_over.set()


class Threads:
    """An engine of as many threads as Numba is told to use."""

    seconds = 1.0  # of work that a kill may cost; longer networks are kept on their way

    def __init__(self, task: TrainingTask, note: Note, pool: ThreadPoolExecutor) -> None:
        self.n_threads: int = numba.config.NUMBA_NUM_THREADS
        self.is_over = Event()
        self._task, self._note, self._pool = task, note, pool

    def train(self, chunks: Iterator[Chunk], tell: Tell) -> Iterator[DoneChunk]:
        """Train the chunks in their order; the next is trained while the caller is busy with one."""
        under_way = self._next(chunks, tell)
        while under_way:
            done = under_way.result()
            under_way = self._next(chunks, tell)
            yield done

    def _next(self, chunks: Iterator[Chunk], tell: Tell) -> Future[DoneChunk] | None:
        chunk = next(chunks, None)
        return self._pool.submit(self._trained, chunk, tell) if chunk else None

    def _trained(self, chunk: Chunk, tell: Tell) -> DoneChunk:
        def told(done: int, total: int, share: float) -> None:
            if self.is_over.is_set():  # after an interrupt: nobody waits for the results
                raise CancelledError
            tell(chunk, done, share)

        (data, seed, dtype, _), start = self._task, time.perf_counter()
        wanted = chunk.networks, data, chunk.of
        options: Options = {"dtype": dtype, "progress": told, "note": self._note}
        results = train_replicates(*wanted, seed=seed, keeper=chunk.keeper, **options)
        return DoneChunk(chunk, results, time.perf_counter() - start)
