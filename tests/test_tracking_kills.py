"""`track` is killed at any point, and ends with every run there once when it is run again."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest

from shoal.pipeline.paths import Paths
from shoal.pipeline.tracking import is_tracked, track
from shoal.pipeline.tracking.runs import MlflowClient
from tests.made_up import SMALL, WRITES, assert_whole, client_of, copy_store, parent_of, runs_of, write_results

pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:DeprecationWarning")

WRITES_OF_A_SWEEP = 2 + 6 + 4 * len(SMALL) + 1
"""Experiment and its view; the parent, its numbers, data, figure, table, and what says that they are there; cells; end.

The sweep of the chosen network has five more: the model, its files and end, its tie to the run, and the tag.
"""


class Killed(BaseException):
    """What a process meets when it is killed: nothing of it runs after that."""


@pytest.fixture
def kill_after(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A counter in a list: each write to the store takes one from it, and the one that empties it is the last."""
    left = [10**9]

    def written() -> None:
        left[0] -= 1
        if left[0] == 0:
            raise Killed

    for name in WRITES:
        monkeypatch.setattr(MlflowClient, name, followed_by(getattr(MlflowClient, name), written))
    return left


PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload([__name__, "mlflow.pyfunc", "mlflow.store.tracking.sqlalchemy_store"])
"""Where processes are forked from: one that has imported all this, and has neither threads nor a store open."""


def followed_by(write: Callable[..., Any], then: Callable[[], None]) -> Callable[..., Any]:
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        result = write(*args, **kwargs)
        then()
        return result

    return wrapper


def test_killed_after_any_write_and_run_again(root: Path, kill_after: list[int]) -> None:
    """Every k-th write in turn is the last one of a process; the next process makes it whole."""
    names = [f"k{k:02d}" for k in range(1, WRITES_OF_A_SWEEP + 2)]
    paths = write_results(root, {"chosen": SMALL} | dict.fromkeys(names, SMALL))
    for k, name in enumerate(names, start=1):
        kill_after[0] = k
        if k <= WRITES_OF_A_SWEEP:
            with pytest.raises(Killed):
                track(paths, [name])
            assert is_tracked(paths, [name]) == (k == WRITES_OF_A_SWEEP)
        assert_whole(paths, [name], track(paths, [name]))
    assert kill_after[0] == 1


def test_killed_twice_with_other_results_between(root: Path, kill_after: list[int]) -> None:
    """What was left running of results that are gone ends as KILLED, and is made whole when they come back."""
    paths = write_results(root, {"sizes": SMALL})
    for error in (0.1, 0.2):
        kill_after[0] = 8
        with pytest.raises(Killed):
            track(write_results(root, {"sizes": SMALL}, error), ["sizes"])
    kill_after[0] = 10**9
    assert_whole(paths, ["sizes"], track(paths, ["sizes"]))
    assert "KILLED" in {run.info.status for run in runs_of(paths, "sizes")}
    write_results(root, {"sizes": SMALL})
    assert_whole(paths, ["sizes"], track(paths, ["sizes"]))
    assert {run.info.status for run in runs_of(paths, "sizes")} == {"FINISHED"}
    assert len(runs_of(paths, "sizes")) == 6


KILLS = 8
STUDY = {"sizes": {"relu-d1-w005": 0, "tanh-d1-w005": 1, "linear-d1-w005": 3}, "ridge": SMALL}


def track_and_die(root: str, last: int) -> None:
    """What a process does that is killed right after its write number `last`."""
    left = iter(range(last - 1, -1, -1))

    def written() -> None:
        if next(left) == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    for name in WRITES:
        setattr(MlflowClient, name, followed_by(getattr(MlflowClient, name), written))
    track(Paths(Path(root)), list(STUDY))


def exit_code(paths: Paths, last: int) -> int | None:
    """How a process ends that tracks the study and is killed right after its write number `last`."""
    process = PROCESSES.Process(target=track_and_die, args=(str(paths.root), last))
    process.start()
    process.join(60)
    return process.exitcode


def test_sigkill_after_any_of_eight_writes(tmp_path: Path, blank: Path, kill_after: list[int]) -> None:
    """Each process has a store of its own, is killed, and leaves it so that one more process makes it whole."""
    studies = [write_results(tmp_path / str(kill), STUDY) for kill in range(KILLS + 1)]
    for paths in studies:
        copy_store(blank, paths.mlflow_database)
    start = kill_after[0]
    track(studies.pop(), list(STUDY))
    writes = start - kill_after[0]
    lasts = [int(last) for last in np.rint(np.linspace(1, writes, KILLS))]
    with ThreadPoolExecutor(2) as pool:
        assert set(pool.map(exit_code, studies, lasts)) == {-signal.SIGKILL}
    for paths, last in zip(studies, lasts, strict=True):
        assert is_tracked(paths, list(STUDY)) == (last == writes)
        assert_whole(paths, list(STUDY), track(paths, list(STUDY)))
        assert_one_model(paths)


def assert_one_model(paths: Paths) -> None:
    """The chosen network is there once, whole, and tied to the run of its sweep."""
    client, parent = client_of(paths), parent_of(paths, "sizes")
    [model] = client.search_logged_models([parent.info.experiment_id])
    assert model.status == "READY"
    assert parent.data.tags["shoal.model"] == f"models:/{model.model_id}"
    outputs = client.get_run(parent.info.run_id).outputs.model_outputs
    assert [output.model_id for output in outputs] == [model.model_id]
    assert {file.path for file in client.list_logged_model_artifacts(model.model_id)} >= {"MLmodel", "served.py"}


def die_while_making_a_store(root: str) -> None:
    """What a process does that is killed when the tables are there and the file has not got its name yet."""
    with patch.object(Path, "replace", lambda *_: os.kill(os.getpid(), signal.SIGKILL)):
        track(Paths(Path(root)), ["ridge"])


def test_sigkill_before_the_store_is_there(tmp_path: Path) -> None:
    paths = write_results(tmp_path, {"ridge": SMALL})
    process = PROCESSES.Process(target=die_while_making_a_store, args=(str(tmp_path),))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    assert not paths.mlflow_database.exists()
    assert_whole(paths, ["ridge"], track(paths, ["ridge"]))
