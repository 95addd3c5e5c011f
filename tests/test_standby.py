"""The process that stands by while `dvc` runs: a stage is a copy of it, and looks as if it ran alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from shoal.pipeline import INTERRUPTED, store
from shoal.pipeline.paths import Paths
from tests import studies
from tests.test_stage_kills import GONE, is_training, wait_for, wait_for_end, words_of

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="nobody stands by there")
DVC = """
import os, signal, subprocess, sys
signal.signal(signal.SIGINT, lambda *_: None)
for line in sys.stdin:
    variables, _, words = line.partition("python ")
    environ = os.environ | dict(pair.split("=") for pair in variables.split())
    print("status", subprocess.run([sys.executable, *words.split()], stdin=subprocess.DEVNULL, env=environ).returncode)
    sys.stdout.flush()
"""
"""A process that runs Python with the variables and words of each line that it reads, whatever Ctrl-C stops."""
SWEEP = "DVC_STAGE=sweep@sizes python -m shoal.pipeline.stages.sweep"


class Dvc(NamedTuple):
    """It, and the process that stands by for it."""

    process: subprocess.Popen[str]
    standby: psutil.Process

    def begin(self, line: str) -> None:
        """Have it run a stage."""
        assert self.process.stdin
        print(line, file=self.process.stdin, flush=True)

    def run(self, line: str) -> tuple[int, str]:
        """The exit status of a stage and what it printed."""
        self.begin(line)
        return self.end()

    def end(self) -> tuple[int, str]:
        printed = ""
        assert self.process.stdout
        for text in self.process.stdout:
            if text.startswith("status "):
                return int(text.split()[1]), printed
            printed += text
        raise EOFError

    def has_run(self) -> bool:
        """Whether there has been a copy of the process that stands by, which may not know yet that it has ended."""
        copies, used = self.standby.children(), self.standby.cpu_times()
        return bool(copies) or bool(used.children_user + used.children_system > 0)


@pytest.fixture
def study(tmp_path: Path) -> Paths:
    return studies.write(tmp_path, {"sizes": studies.SIZES})


@contextmanager
def dvc_in(study: Paths, *options: str) -> Iterator[Dvc]:
    """A `dvc` in its folder, after stage `data`; in the end nothing of it is left."""
    with (study.root / "err.txt").open("wb") as err:
        process = subprocess.Popen(
            [sys.executable, "-c", DVC],
            cwd=study.root,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=err,
            text=True,
            start_new_session=True,
        )
    words = ["-m", "shoal.pipeline.standby", str(process.pid)]
    dvc = Dvc(process, psutil.Process())
    try:
        assert dvc.run(f"DVC_STAGE=data python {' '.join([*options, '-m'])} shoal.pipeline.stages.data")[0] == 0
        found = [other for other in psutil.process_iter() if words_of(other) == [*options, *words]]
        yield dvc._replace(standby=found[0])
    finally:
        process.kill()
        process.communicate()
        for other in found:
            wait_for_end(other, 5)


def error(study: Paths) -> str:
    return (study.root / "err.txt").read_text()


def test_a_stage_is_a_copy_of_it_with_the_terminal_the_variables_and_the_folder_of_who_asked(study: Paths) -> None:
    with dvc_in(study, "-X", "utf8") as dvc:
        status, printed = dvc.run(f"SHOAL_STORE={study.root / 'elsewhere'} {SWEEP} sizes")
        assert dvc.has_run()
    assert status == 0 and printed.startswith("sweep-sizes: ") and not error(study)
    assert (study.root / "elsewhere").is_dir() and not (study.root / ".shoal").exists()
    assert set(store.read_table(study.runs("sizes"))["steps"]) == {20}


def test_a_stage_that_refuses_does_so(study: Paths) -> None:
    with dvc_in(study) as dvc:
        assert dvc.run(f"{SWEEP} others")[0] == 2
        assert dvc.run(f"{SWEEP}")[0] == 2
        assert dvc.has_run()
    unknown, missing = error(study).splitlines()
    assert unknown == "params.yaml: found no sweep 'others'; allowed: sizes"
    assert missing == "stage sweep: found nothing after its name; allowed: NAME"


def test_what_began_with_other_sources_runs_none(study: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    package = Path(__file__).parent.parent / "shoal"
    (copied := study.root / "shoal").mkdir()
    for part in ("kernels", "pipeline"):
        (copied / part).symlink_to((package / part).resolve())
    (copied / "__init__.py").touch()
    with dvc_in(study) as dvc:
        os.utime(copied / "__init__.py", (0, 0))
        assert dvc.run(f"{SWEEP} sizes")[0] == 0
        assert not dvc.has_run()


def test_nobody_of_another_dvc_is_asked(study: Paths) -> None:
    with dvc_in(study) as dvc:
        asked = subprocess.run(
            [sys.executable, "-m", "shoal.pipeline.stages.sweep", "sizes"],
            cwd=study.root,
            env=os.environ | {"DVC_STAGE": "sweep@sizes"},
        )
        assert asked.returncode == 0 and not dvc.has_run()


def stop_dvc(dvc: Dvc, client: psutil.Process) -> None:
    dvc.process.kill()


def stop_standby(dvc: Dvc, client: psutil.Process) -> None:
    dvc.standby.kill()


def kill_client(dvc: Dvc, client: psutil.Process) -> None:
    client.kill()


def end_client(dvc: Dvc, client: psutil.Process) -> None:
    client.terminate()


def interrupt(dvc: Dvc, client: psutil.Process) -> None:
    os.killpg(dvc.process.pid, signal.SIGINT)


LEFT = "sweep: the process that ran this stage has gone; run the same command again\n"


@pytest.mark.parametrize(
    ("stop", "status", "lines"),
    [
        (stop_dvc, None, {GONE}),
        (stop_standby, 2, {LEFT, GONE}),
        (kill_client, -9, set()),
        (end_client, 143, {INTERRUPTED + "\n"}),
        (interrupt, 130, {INTERRUPTED + "\n"}),
    ],
)
def test_whatever_is_stopped_no_process_of_a_stage_is_left(
    study: Paths, stop: Callable[[Dvc, psutil.Process], None], status: int | None, lines: set[str]
) -> None:
    studies.write(study.root, {"sizes": studies.LONG})
    with dvc_in(study) as dvc:
        dvc.begin(f"{SWEEP} sizes")
        wait_for(lambda: is_training(study))
        time.sleep(0.3)
        client, copy = psutil.Process(dvc.process.pid).children(), dvc.standby.children()
        assert len(client) == len(copy) == 1
        stop(dvc, client[0])
        for process in (*client, *copy):
            wait_for_end(process, 10)
        assert status is None or dvc.end()[0] == status
    assert sorted(error(study).splitlines(keepends=True)) == sorted(lines)
