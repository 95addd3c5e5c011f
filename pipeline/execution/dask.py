"""Networks trained by the workers of a Dask cluster: one whose scheduler has an address, or one of this machine's own.

Dask brings chunks to workers, and those of a worker that is lost to others. Here is decided who may train: a worker is
first examined, which also compiles what it needs, and one whose engine gives other bits gets no work.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator, KeysView
from concurrent.futures import CancelledError
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, SimpleQueue
from subprocess import DEVNULL, PIPE, Popen
from tempfile import TemporaryDirectory
from typing import Any

import numba
from dask import config
from distributed import Client, Future, KilledWorker
from distributed.deploy.utils import nprocesses_nthreads

from shoal.kernels.ensemble import ENGINE
from shoal.kernels.training.run import Note
from shoal.pipeline.errors import ShoalError
from shoal.pipeline.execution import Chunk, DoneChunk, Tell, TrainingTask
from shoal.pipeline.execution._on_worker import WorkerKind, kind_of, same, short, trained
from shoal.pipeline.store.entries import probes

AHEAD = 2
"""Chunks of a worker: one that it trains, and one that is there when that is done."""
PATIENCE = 60.0
"""Seconds without any worker after which a sweep ends."""
EVERY = 1.0
"""Seconds from one look at which workers there are to the next."""
ARRIVING = 10.0
"""Seconds that what has been found may take to arrive, before it is asked whether its worker is still there."""
AGAIN = "the same command again, which goes on with what is missing"
CONFIG = {"distributed.admin.large-graph-warning-threshold": "1TB", "distributed.comm.timeouts.connect": "10s"}


class ClusterError(ShoalError):
    """The cluster does not do what it is asked to."""

    def __init__(self, address: str, found: str, allowed: str) -> None:
        super().__init__(f"execution.address: {address}: found {found}; allowed: {allowed}")


@contextmanager
def started(address: str, task: TrainingTask, note: Note) -> Iterator[Workers]:
    """A client of the cluster for a while, and with `local` the cluster too; raises ClusterError where it is not there.

    Dask's own messages are left out: what a user has to know is said here.
    """
    with _silence(), config.set(CONFIG), _scheduler(address) as scheduler, _client(scheduler, address) as client:
        yield Workers(client, address, task)


@contextmanager
def _silence() -> Iterator[None]:
    logs = [logging.getLogger(name) for name in ("distributed", "distributed.client")]
    levels = [log.level for log in logs]
    for log in logs:
        log.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for log, level in zip(logs, levels, strict=True):
            log.setLevel(level)


@contextmanager
def _scheduler(address: str) -> Iterator[str]:
    """The address with its protocol; that of a cluster of its own ends with the context, or with this process."""
    if address != "local":
        yield address if "://" in address else f"tcp://{address}"
        return
    sizes = map(str, nprocesses_nthreads(numba.config.NUMBA_NUM_THREADS))
    with TemporaryDirectory(prefix="shoal-", ignore_cleanup_errors=True) as folder:
        program = [sys.executable, "-P", str(Path(__file__).with_name("_cluster.py")), folder, *sizes]
        pipes: Any = {"stdin": PIPE, "stdout": PIPE, "stderr": DEVNULL}
        with Popen(program, start_new_session=True, **pipes) as process:
            try:
                if not (found := process.stdout.readline().decode().strip()):  # type: ignore[union-attr]
                    raise ClusterError(address, "a cluster that does not start", "engine: local")
                yield found
            finally:
                process.kill()


@contextmanager
def _client(scheduler: str, address: str) -> Iterator[Client]:
    try:
        client = Client(scheduler, set_as_default=False)
    except (OSError, ValueError):
        allowed = "HOST:PORT of a running scheduler (`dask scheduler` prints it); or engine: local"
        raise ClusterError(address, "no scheduler that answers", allowed) from None
    with client:
        yield client


class Workers:
    """An engine of all workers that give the bits of this machine, those that come later too."""

    seconds = 1.0

    def __init__(self, client: Client, address: str, task: TrainingTask) -> None:
        self._client, self._address, self._task = client, address, task
        self._kind = WorkerKind(ENGINE, probes.source(), short(task.engines))
        self._ended = SimpleQueue[Future]()
        self._examined, self._fit, self._refused = dict[Future, str](), set[str](), set[str]()
        self._at = dict[Future, tuple[Chunk, frozenset[str]]]()
        self._again = list[Chunk]()
        self._alone_since: float | None = None
        try:
            client.wait_for_workers(1, timeout=PATIENCE)
        except TimeoutError:
            raise self._no_worker() from None
        self.n_threads: int = max(client.nthreads().values())
        self._data = client.submit(same, task.data, pure=False)

    def train(self, chunks: Iterator[Chunk], tell: Tell) -> Iterator[DoneChunk]:
        """Train the chunks; raises ClusterError where no worker is there that may."""
        looked = -EVERY
        while True:
            if time.monotonic() > looked + EVERY:
                self._look()
                looked = time.monotonic()
            while len(self._at) < AHEAD * len(self._fit) and (chunk := self._next(chunks)):
                self._submit(chunk)
            if self._fit and not self._at:
                return
            try:
                future = self._ended.get(timeout=EVERY)
            except Empty:
                continue
            if future in self._examined:
                self._judge(self._examined.pop(future), future)
            elif future in self._at and (done := self._received(future)):
                yield done

    def _next(self, chunks: Iterator[Chunk]) -> Chunk | None:
        return self._again.pop() if self._again else next(chunks, None)

    def _submit(self, chunk: Chunk) -> None:
        fit = frozenset(self._fit)
        call = trained, chunk.networks, chunk.of, self._data, self._task.seed, self._task.dtype
        future = self._client.submit(*call, workers=list(fit), pure=False)
        self._at[future] = chunk, fit
        future.add_done_callback(self._ended.put)

    def _received(self, future: Future) -> DoneChunk | None:
        """The results of a chunk; None where they were lost, and it is to be trained again."""
        chunk, fit = self._at.pop(future)
        try:
            if found := self._result(future, fit):
                return DoneChunk(chunk, *found)
            self._again.append(chunk)
            return None
        except KilledWorker as error:
            n = sum(len(numbers) for _, numbers in chunk.networks)
            found = f"the end of every worker that was given the same {n} networks"
            raise ClusterError(error.last_worker.address, found, "workers with more memory") from None
        except CancelledError:
            raise self._no_scheduler() from None

    def _result(self, future: Future, workers: frozenset[str]) -> Any:
        """What has been found; None where that is lost with the last of these workers: Dask waits for them to come
        again, as nobody else may find it."""
        seconds = ARRIVING
        while True:
            try:
                return future.result(timeout=seconds)
            except TimeoutError:
                if workers.isdisjoint(self._there()):
                    future.cancel()
                    return None
                seconds *= 2

    def _there(self) -> KeysView[str]:
        """The addresses of all workers."""
        try:
            return self._client.nthreads().keys()  # type: ignore[no-any-return]
        except OSError:
            raise self._no_scheduler() from None

    def _look(self) -> None:
        """Examine workers that are new, and take back what none can train of those that are there."""
        there = self._there()
        for address in self._fit - there:
            _say(f"{address}: this worker is lost; what it was at is trained by others")
        self._fit &= there
        self._examined = {future: address for future, address in self._examined.items() if address in there}
        for address in there - self._fit - self._refused - {*self._examined.values()}:
            self._examine(address)
        for future in [future for future, (_, fit) in self._at.items() if fit.isdisjoint(there)]:
            self._again.append(self._at.pop(future)[0])
            future.cancel()
        if there - self._refused:
            self._alone_since = None
            return
        self._alone_since = self._alone_since or time.monotonic()
        if there or time.monotonic() > self._alone_since + PATIENCE:
            raise self._no_worker()

    def _examine(self, address: str) -> None:
        task, kind = self._task, self._kind
        call = kind_of, kind, [*task.engines.values()], task.dtype
        future = self._client.submit(*call, workers=[address], pure=False)
        self._examined[future] = address
        future.add_done_callback(self._ended.put)

    def _judge(self, address: str, future: Future) -> None:
        """Take a worker, or refuse it in a line that names what it is and what it should be."""
        try:
            kind = self._result(future, frozenset([address]))
        except ClusterError:
            raise
        except Exception as error:
            kind = f"{type(error).__name__}: {error}".splitlines()[0]
        if kind == self._kind:
            self._fit.add(address)
        elif kind is not None:
            self._refused.add(address)
            _say(f"{address}: this worker gets no work: found {kind}; allowed: {self._kind}, as on this machine")

    def _no_worker(self) -> ClusterError:
        found = "no worker that may train" if self._refused else f"no worker in {PATIENCE:g} s"
        return ClusterError(self._address, found, "workers with this machine's shoal and instruction set, and " + AGAIN)

    def _no_scheduler(self) -> ClusterError:
        return ClusterError(self._address, "no scheduler any more", f"one that runs, and {AGAIN}")


def _say(text: str) -> None:
    print(text, file=sys.stderr)
