"""Stages as processes: they end with the `dvc` that runs them, and there is one of each in a folder."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar
from unittest.mock import create_autospec

import psutil
import pytest
from filelock import FileLock

from shoal.pipeline import ancestors, store
from shoal.pipeline.paths import Paths
from shoal.pipeline.stages import _stage, data, sweep
from tests import studies

STAGE = ["-m", "shoal.pipeline.stages.sweep", "sizes"]
IDLE = """
import pathlib, time
from shoal.pipeline import ancestors
ancestors.watch()
pathlib.Path("begun").touch()
time.sleep(600)
pathlib.Path("results").mkdir()
"""
GONE = "sweep@sizes: the dvc that ran this stage has gone, and the stage with it\n"
T = TypeVar("T")
RUN = "import subprocess, sys; subprocess.run(['/bin/sh', '-c', sys.argv[1]], env={environment})"
"""A process that runs a command by a shell, as DVC does."""

as_dvc_does = pytest.mark.parametrize("form", ["exec {}", "{}; exit $?"], ids=["no shell between", "a shell between"])


@pytest.fixture
def study(tmp_path: Path) -> Paths:
    paths = studies.write(tmp_path, {"sizes": studies.LONG})
    data.run(paths)
    return paths


def run_below(folder: Path, form: str, words: list[str], *names: str) -> tuple[subprocess.Popen[bytes], psutil.Process]:
    """A process that runs Python with these words, by a shell, in a folder; and the process of this Python."""
    environment = f"__import__('os').environ | {dict.fromkeys(names, 'sweep@sizes')!r}"
    command = form.format(shlex.join([sys.executable, *words]))
    with (folder / "err.txt").open("wb") as err:
        parent = subprocess.Popen(
            [sys.executable, "-c", RUN.format(environment=environment), command],
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=err,
            start_new_session=True,  # a terminal's; in a container the first process may be of ours
        )

    def look() -> psutil.Process | None:
        below = psutil.Process(parent.pid).children(recursive=True)
        return next((process for process in below if words_of(process) == words), None)

    return parent, wait_for(look)


def words_of(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()[1:]
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return []


def wait_for(look: Callable[[], T | None]) -> T:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if found := look():
            return found
        time.sleep(0.02)
    raise TimeoutError


def wait_for_end(process: psutil.Process, seconds: float) -> None:
    """Wait until a process that is no child has ended; where nobody asks for its status it stays as a zombie."""
    end = time.monotonic() + seconds
    with suppress(psutil.NoSuchProcess):
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            if time.monotonic() > end:
                process.kill()
                raise TimeoutError
            time.sleep(0.02)


def is_training(paths: Paths) -> bool:
    return paths.lock("sweep-sizes").exists()


def kill(parent: subprocess.Popen[bytes], stage: psutil.Process, seconds: float) -> None:
    """Kill a process without a chance to do anything; its stage has to end in so many seconds."""
    os.kill(parent.pid, signal.SIGKILL)
    try:
        wait_for_end(stage, seconds)
    finally:
        parent.wait()


@as_dvc_does
def test_two_seconds_after_its_dvc_a_stage_has_ended(tmp_path: Path, form: str) -> None:
    parent, stage = run_below(tmp_path, form, ["-c", IDLE], "DVC_STAGE")
    wait_for((tmp_path / "begun").exists)
    kill(parent, stage, seconds=2)
    assert (tmp_path / "err.txt").read_text() == GONE
    assert {path.name for path in tmp_path.iterdir()} == {"begun", "err.txt"}


@pytest.mark.parametrize(
    ("pid", "program", "is_adopted"),
    [(1, "/bin/bash", True), (1, "/usr/bin/python3.11", False), (1, "/usr/bin/dvc", False), (2, "/bin/bash", False)],
)
def test_a_shell_that_is_the_first_process_of_a_container_is_no_dvc(
    pid: int, program: str, is_adopted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "getsid", lambda _: 7)  # all of one session
    parent = create_autospec(psutil.Process, instance=True, pid=pid)
    parent.exe.return_value = program
    assert ancestors._is_adopted(psutil.Process(), parent) is is_adopted


@as_dvc_does
@pytest.mark.parametrize("begun", [False, True])
def test_a_stage_that_trains_ends_too_and_leaves_the_folder_to_the_next(
    study: Paths, form: str, begun: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    parent, stage = run_below(study.root, form, STAGE, "DVC_STAGE")
    if begun:
        wait_for(lambda: is_training(study))
        time.sleep(0.3)
    kill(parent, stage, seconds=10)  # it shares the machine with its own training and with other tests
    assert all(path.suffix == ".tmp" for path in study.results.rglob("*") if path.is_file())
    assert (study.root / "err.txt").read_text() == GONE
    studies.write(study.root, {"sizes": studies.SIZES})
    monkeypatch.chdir(study.root)
    _stage.main("sweep-sizes", sweep.run, "sizes")
    assert set(store.read_table(study.runs("sizes"))["steps"]) == {20}
    assert not [*study.results.rglob("*.tmp")]


def test_a_stage_that_is_run_by_hand_outlives_its_terminal(study: Paths) -> None:
    studies.write(study.root, {"sizes": studies.SIZES})
    parent, stage = run_below(study.root, "{}", STAGE)
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    wait_for_end(stage, 60)
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
