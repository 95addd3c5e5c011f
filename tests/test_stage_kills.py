"""Stages as processes: they end with the `dvc` that runs them, and there is one of each in a folder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import psutil
import pytest
from filelock import FileLock

from pipeline import store
from pipeline.paths import Paths
from pipeline.stages import _stage, data, sweep
from tests import studies

STAGE = f"{sys.executable} -m pipeline.stages.sweep sizes"
T = TypeVar("T")
ENDLESS = studies.SIZES | {"steps": 100_000_000}
RUN = "import subprocess, sys; subprocess.run(['/bin/sh', '-c', sys.argv[1]], env={environment})"
"""A process that runs a command by a shell, as DVC does."""


@pytest.fixture
def study(tmp_path: Path) -> Paths:
    paths = studies.write(tmp_path, {"sizes": ENDLESS})
    data.run(paths)
    return paths


def run_below(paths: Paths, command: str, *names: str) -> tuple[subprocess.Popen[bytes], psutil.Process]:
    """A process that runs a command in the folder of a study, and the process of the stage in it."""
    environment = f"__import__('os').environ | {dict.fromkeys(names, 'sweep@sizes')!r}"
    words = [sys.executable, "-c", RUN.format(environment=environment), command]
    with (paths.root / "err.txt").open("wb") as err:
        parent = subprocess.Popen(words, cwd=paths.root, stdout=subprocess.DEVNULL, stderr=err)
    return parent, wait_for(lambda: next(filter(is_stage, psutil.Process(parent.pid).children(recursive=True)), None))


def is_stage(process: psutil.Process) -> bool:
    try:
        return process.cmdline()[1:3] == ["-m", "pipeline.stages.sweep"]
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return False


def wait_for(look: Callable[[], T | None]) -> T:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if found := look():
            return found
        time.sleep(0.02)
    raise TimeoutError


def is_training(paths: Paths) -> bool:
    return paths.lock("sweep-sizes").exists()


@pytest.mark.parametrize("command", [f"exec {STAGE}", f"{STAGE}; exit $?"], ids=["no shell between", "a shell between"])
@pytest.mark.parametrize("begun", [False, True])
def test_a_stage_ends_with_its_dvc_and_leaves_the_folder_to_the_next(
    study: Paths, command: str, begun: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    parent, stage = run_below(study, command, "DVC_STAGE")
    if begun:
        wait_for(lambda: is_training(study))
        time.sleep(0.3)
    os.kill(parent.pid, signal.SIGKILL)
    try:
        stage.wait(10)  # two seconds where nothing else runs, hours without it
    finally:
        if stage.is_running():
            stage.kill()
        parent.wait()
    assert not study.results.exists()
    line = "sweep@sizes: the dvc that ran this stage has gone, and the stage with it\n"
    assert (study.root / "err.txt").read_text() == line
    studies.write(study.root, {"sizes": studies.SIZES})
    monkeypatch.chdir(study.root)
    _stage.main("sweep-sizes", sweep.run, "sizes")
    assert set(store.read_table(study.runs("sizes"))["steps"]) == {20}


def test_a_stage_that_is_run_by_hand_outlives_its_terminal(study: Paths) -> None:
    studies.write(study.root, {"sizes": studies.SIZES})
    parent, stage = run_below(study, STAGE)
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    stage.wait(60)
    assert set(store.read_table(study.runs("sizes"))["steps"]) == {20}


def test_a_second_run_of_a_stage_is_refused_in_one_line(
    study: Paths, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(study.root)
    monkeypatch.setattr(_stage, "WAIT", 0.1)
    study.logs.mkdir()
    with FileLock(Paths().lock("sweep-sizes")):
        words = studies.refusal(lambda: _stage.main("sweep-sizes", sweep.run, "sizes"), capsys)
    assert words == (
        "sweep-sizes: found a run of this stage in this folder; allowed: one at a time; wait for its end\n"
    )
    studies.write(Path(), {"sizes": studies.SIZES})
    _stage.main("sweep-sizes", sweep.run, "sizes")
    assert Paths().runs("sizes").exists()
    assert not Paths().lock("sweep-sizes").exists()
