"""Ctrl-C, a termination, an output that nobody reads, a full disk: one line or none, the right status, no traceback."""

from __future__ import annotations

import errno
import gc
import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from threading import Timer

import psutil
import pytest

from shoal.pipeline import errors
from shoal.pipeline.errors import guarded
from shoal.pipeline.stages import data
from tests import studies

SAID = "interrupted; the next run continues with what is missing\n"
SHOAL = [str(Path(sys.executable).with_name("shoal"))]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("study")
    paths = studies.complete(root, {"sizes": studies.SIZES}, source="file")
    studies.write(root, {"sizes": studies.LONG}, source="file")
    data.run(paths)
    return root


@pytest.fixture(autouse=True)
def _heed_interrupts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A shell starts what runs in its background with interrupts ignored, which shoal goes by."""
    monkeypatch.setattr(errors, "ENDING", [signal.SIGINT, signal.SIGTERM])
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def start(command: list[str], root: Path, stdout: int = subprocess.PIPE) -> subprocess.Popen[str]:
    """A program that heeds Ctrl-C even where the tests run in the background."""
    heed = "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])"
    command = [sys.executable, "-c", heed, *command]
    return subprocess.Popen(command, cwd=root, stdout=stdout, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stage_that_trains_ends_soon_with_a_line(study: Path, number: signal.Signals) -> None:
    before = studies.files(study)
    stage = start([sys.executable, "-m", "shoal.pipeline.stages.sweep", "sizes"], study)
    assert stage.stdout
    said = stage.stdout.readline()
    time.sleep(1)  # it trains from here on
    stage.send_signal(number)
    began = time.monotonic()
    try:
        rest, error = stage.communicate(timeout=30)
    finally:
        stage.kill()
    assert (rest, error) == ("", SAID)
    assert said.startswith("sweep-sizes: ") and " to train: " in said
    assert stage.returncode == 128 + number
    assert time.monotonic() - began < 10
    assert studies.files(study) == before


@pytest.mark.parametrize("seconds", [0.2, 0.4, 0.6])
@pytest.mark.parametrize("command", [[sys.executable, "-m", "shoal.pipeline.stages.report"], [*SHOAL, "show"]])
def test_so_does_a_program_that_still_imports(study: Path, command: list[str], seconds: float) -> None:
    """After so many seconds of its own work: by the clock it may not have begun, on a machine that others use."""
    program = start(command, study)
    process = psutil.Process(program.pid)
    while sum(process.cpu_times()[:2]) < seconds:
        time.sleep(0.01)
    program.send_signal(signal.SIGINT)
    assert program.communicate(timeout=30) == ("", SAID)
    assert program.returncode == 130


def swallowed() -> None:
    """As compiled modules do that meet an interrupt among their imports."""
    try:
        os.kill(os.getpid(), signal.SIGINT)
    except KeyboardInterrupt:
        raise ImportError("PyCapsule_Import could not import module") from None


class Dropped:
    """As in a callback, from which Python passes nothing on."""

    def __del__(self) -> None:
        os.kill(os.getpid(), signal.SIGINT)


def dropped() -> None:
    Dropped()
    for _ in range(20):
        time.sleep(0.05)
    raise AssertionError("the interrupt is lost")


@pytest.mark.parametrize("work", [swallowed, dropped])
def test_an_interrupt_that_other_code_hides_counts(
    work: Callable[[], None], capsys: pytest.CaptureFixture[str]
) -> None:
    assert guarded(work) == 130
    assert capsys.readouterr() == ("", SAID)


def test_a_compiled_call_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """It lets no handler run until its end; the program ends before."""
    left = list[int]()
    monkeypatch.setattr(errors, "leave", left.append)
    monkeypatch.setattr(errors, "PATIENCE", 0.01)

    def work() -> None:
        Timer(0.01, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
        with suppress(KeyboardInterrupt):  # at its end
            hashlib.pbkdf2_hmac("sha256", b"", b"", 1_000_000)
        assert left == [signal.SIGINT]

    assert guarded(work) == 0


def test_signals_and_hooks_are_given_back() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)], sys.unraisablehook
    assert guarded(lambda: 7) == 7
    assert ([signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)], sys.unraisablehook) == before


def test_garbage_is_looked_for_from_the_work_on() -> None:
    gc.disable()
    assert guarded(gc.isenabled) == 1


def test_an_output_that_nobody_reads_ends_quietly(study: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    program = start([*SHOAL, "show"], study, stdout=writing)
    os.close(writing)
    assert program.communicate(timeout=60) == (None, "")
    assert program.returncode == errors.UNREAD


def test_an_output_that_is_full_is_told(study: Path) -> None:
    with Path("/dev/full").open("w") as full:
        program = start([*SHOAL, "check"], study, stdout=full.fileno())
        said = program.communicate(timeout=60)[1]
    assert said == (
        "the output: found no space left on device; allowed: free some space and run the same command again\n"
    )
    assert program.returncode == 2


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (
            OSError(errno.ENOSPC, "No space left on device", "results/a/runs.parquet"),
            "results/a/runs.parquet: found no space left on device; "
            "allowed: free some space and run the same command again\n",
        ),
        (
            MemoryError("Unable to allocate 7.28 TiB"),
            "memory: found too little (Unable to allocate 7.28 TiB); allowed: a smaller study, or a larger machine\n",
        ),
        (
            FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp']"),
            "the output: found no usable temporary directory found in ['/tmp']; "
            "allowed: a file that can be read and written\n",
        ),
    ],
)
def test_what_the_machine_lacks_is_one_line(error: Exception, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    def work() -> None:
        raise error

    assert guarded(work) == errors.REFUSED
    assert capsys.readouterr() == ("", line)


def test_what_is_a_fault_of_the_code_stays_one() -> None:
    with pytest.raises(KeyError, match="x"):
        guarded(lambda: {}["x"])
