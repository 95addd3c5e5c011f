"""Networks trained by a cluster: the same bits, nothing lost with a worker, and none from an engine with other bits."""

from __future__ import annotations

import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numba
import numpy as np
import psutil
import pytest
from distributed import LocalCluster

from shoal.kernels.ensemble import NetworkSpec, Replicates, Samples, Trained, train
from shoal.kernels.network.architecture import Architecture
from shoal.pipeline import execution
from shoal.pipeline.config import ConfigError, Execution
from shoal.pipeline.errors import ShoalError
from shoal.pipeline.execution import TrainingTask, dask
from shoal.pipeline.execution._on_worker import WorkerKind, kind_of, short
from shoal.pipeline.store.entries import Store
from shoal.pipeline.study import training

SPECS = [NetworkSpec(Architecture.parse("dense 9 > tanh > dense 1"), "assignment", n, learning_rate=0.02, steps=100 * n)
         for n in range(1, 25)]  # fmt: skip
X = np.linspace(-3, 3, 200)[:, None]
DATA = Samples(X, np.sin(X))
LOCAL = Execution(engine="dask", address="local")


def name(own: Replicates) -> np.ndarray:
    return np.array([f"{n * 10_000 + (own.spec.steps or 0):016x}" for n in own.numbers], "S16")


def trained(folder: Path, where: Execution, advance: Any = lambda *_: None) -> list[Trained]:
    """Results of SPECS, which no store has yet; they all have to be trained."""
    wanted = [Replicates(spec, np.array([spec.replicate])) for spec in SPECS]
    ids = [name(own) for own in wanted]
    told = training.Told(advance, lambda _: None, lambda _: None)
    asked = training.Wanted(wanted, ids, [0] * len(wanted), [DATA], [name])
    done = [*training.trained(asked, Store(folder), where, told, seed=7, dtype="float64")]
    assert sum(int(one.is_trained.sum()) for one in done) == sum(len(block.ids) for block in Store(folder).blocks())
    assert [one.place for one in done] == list(range(len(SPECS)))
    return [one.results.network(0) for one in done]


@contextmanager
def cluster(n_workers: int) -> Iterator[Any]:
    """One in this process."""
    options: dict[str, Any] = {"dashboard_address": None, "scheduler_kwargs": {"dashboard_address": "127.0.0.1:0"}}
    options |= {"processes": False, "protocol": "tcp://", "host": "127.0.0.1"}
    with LocalCluster(n_workers=n_workers, threads_per_worker=2, **options) as found:
        yield found


def at(found: Any) -> Execution:
    return Execution(engine="dask", address=found.scheduler_address.removeprefix("tcp://"))


def same(some: list[Trained], others: list[Trained]) -> bool:
    pairs = zip(some, others, strict=True)
    return all(a.params.tobytes() + a.costs.tobytes() == b.params.tobytes() + b.costs.tobytes() for a, b in pairs)


def test_a_cluster_gives_the_same_bits_and_a_lost_worker_takes_nothing_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(numba.config, "NUMBA_NUM_THREADS", 2)
    monkeypatch.setattr(dask.Workers, "seconds", 0.0)
    monkeypatch.setattr(dask, "EVERY", 0.0)
    judge, counts = dask.Workers._judge, list[int]()

    def judge_when_all_are_examined(workers: Any, *of: Any) -> None:
        while not all(future.done() for future in workers._examined):
            time.sleep(0.01)
        judge(workers, *of)

    def kill_one(done: int, total: int, share: float, said: str) -> None:
        counts.append(done)
        if len(counts) == 3:
            below = psutil.Process().children(recursive=True)
            workers = [process for process in below if any("spawn_main" in word for word in process.cmdline())]
            assert len(workers) == 2
            workers[0].send_signal(signal.SIGKILL)

    monkeypatch.setattr(dask.Workers, "_judge", judge_when_all_are_examined)
    results = trained(tmp_path, LOCAL, kill_one)
    assert counts == [*range(1, 25)]
    assert same(results, train(SPECS, DATA.x, DATA.y, seed=7))
    assert "this worker is lost" in capsys.readouterr().err
    assert not [process for process in psutil.Process().children() if "_cluster.py" in " ".join(process.cmdline())]


def test_a_running_scheduler_is_used_by_its_address_and_nothing_is_left_there(tmp_path: Path) -> None:
    with cluster(1) as found:
        assert same(trained(tmp_path, at(found)), train(SPECS, DATA.x, DATA.y, seed=7))


def test_a_worker_that_gives_other_bits_is_refused_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(dask, "kind_of", lambda wanted, *_: wanted._replace(engine="baseline", bits=""))
    with cluster(1) as found, pytest.raises(ShoalError, match="found no worker that may train; allowed: workers with"):
        trained(tmp_path, at(found))
    line = capsys.readouterr().err
    assert line.count("\n") == 1, line
    assert "this worker gets no work: found baseline, sources " in line
    assert f"allowed: {dask.ENGINE}, sources " in line


def test_bits_are_compared_where_sources_and_instruction_set_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = WorkerKind(dask.ENGINE, dask.probes.source(), "12345678")
    monkeypatch.setattr(dask.probes, "engines", lambda *_: ["b", "a", "b"])
    assert kind_of(wanted, [], "float64") == wanted._replace(bits=short(["a", "b"]))
    assert kind_of(wanted._replace(source="another"), [], "float64").bits == ""


@pytest.mark.parametrize("has_scheduler", [False, True])
def test_without_scheduler_or_workers_a_line_says_so(
    has_scheduler: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dask, "PATIENCE", 0.1)
    if has_scheduler:
        with cluster(0) as found, pytest.raises(ShoalError, match=r"found no worker in 0\.1 s; allowed: workers with"):
            trained(tmp_path, at(found))
        return
    monkeypatch.setitem(dask.CONFIG, "distributed.comm.timeouts.connect", "0.1s")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        where = Execution(engine="dask", address=f"127.0.0.1:{free.getsockname()[1]}")
        with pytest.raises(ShoalError, match=r"^execution.address: 127.0.0.1:\d+: found no scheduler that answers"):
            trained(tmp_path, where)


def test_what_is_lost_with_all_workers_is_trained_by_those_that_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two chunks in the hands of the one worker, the first is done and has not been fetched."""
    monkeypatch.setattr(dask, "EVERY", 0.05)
    monkeypatch.setattr(dask, "ARRIVING", 0.2)
    monkeypatch.setattr(dask.Workers, "seconds", 0.0)
    received, lost = dask.Workers._received, list[Any]()
    with cluster(1) as found:

        def lose_first(workers: dask.Workers, future: Any) -> Any:
            if not lost:
                found.scale(0)
                while workers._client.nthreads():
                    time.sleep(0.01)
                found.scale(1)
                lost.append(future)
            return received(workers, future)

        monkeypatch.setattr(dask.Workers, "_received", lose_first)
        assert same(trained(tmp_path, at(found)), train(SPECS, DATA.x, DATA.y, seed=7))
    assert lost[0].status == "cancelled"


def test_a_package_that_is_missing_is_a_fault_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    monkeypatch.delitem(sys.modules, "shoal.pipeline.execution.dask")
    task = TrainingTask([DATA], 7, "float64", {})
    with pytest.raises(ConfigError) as error:
        execution.started(LOCAL, task, lambda _: None)
    assert str(error.value) == (
        "params.yaml: execution.engine: found dask, but no package distributed; allowed: local; or dask after "
        "`pip install distributed`"
    )
    assert not execution.faults(Execution())
