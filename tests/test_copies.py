"""Copies of a process: what they make is all there, whatever happens to them, and none is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from shoal.pipeline import copies
from shoal.pipeline.copies import spread

PARENT = os.getpid()


@pytest.fixture(autouse=True)
def _two_copies(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Of which none is left; they heed Ctrl-C even where the tests run in the background."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1, 2})
    monkeypatch.setattr(copies, "ENDING", [signal.SIGINT, signal.SIGTERM])
    before = psutil.Process().children()
    yield
    assert psutil.Process().children() == before


def nobody(begun: int, n: int) -> None:
    pass


def is_copy() -> bool:
    return os.getpid() != PARENT


def text(item: int) -> bytes:
    return str(item).encode()


@pytest.mark.parametrize("n", [0, 1, 2, 300])
def test_what_is_made_is_in_order(n: int) -> None:
    told = list[int]()
    with spread(text, range(n)) as rest:
        made = rest(lambda begun, of: told.append(begun))
    assert made == [text(i) for i in range(n)]
    assert told == sorted(told) and set(told) <= set(range(1, n + 1))


def test_copies_work_while_the_block_runs(tmp_path: Path) -> None:
    def make(item: int) -> bytes:
        (tmp_path / f"{item}").touch()
        return b"%d" % os.getpid()

    with spread(make, range(20)) as rest:
        while len(list(tmp_path.iterdir())) < 20:
            time.sleep(0.001)
        assert PARENT not in map(int, made := rest(nobody))
    assert 1 <= len(set(made)) <= 2


def test_what_is_large_comes_whole() -> None:
    with spread(lambda item: bytes([item]) * 5_000_000, range(4)) as rest:
        assert [(set(one), len(one)) for one in rest(nobody)] == [({i}, 5_000_000) for i in range(4)]


def test_an_error_is_raised_here_and_a_copy_says_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    def make(item: int) -> bytes:
        if is_copy():
            warnings.warn("of a copy", stacklevel=1)
            print("a copy")
            os.write(begun, b"x")
        if item == 3:
            raise ValueError(item)
        return b""

    seen, begun = os.pipe()
    with warnings.catch_warnings(action="always"), pytest.raises(ValueError, match="3"), spread(make, range(8)) as rest:
        os.read(seen, 1)
        rest(nobody)
    os.close(seen)
    os.close(begun)
    assert capfd.readouterr() == ("", "")


def killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def interrupted() -> None:
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(60)


def failed() -> None:
    raise SystemExit


@pytest.mark.parametrize("end", [killed, interrupted, failed])
def test_nothing_is_lost_with_copies(end: Callable[[], None]) -> None:
    def make(item: int) -> bytes:
        if is_copy() and item >= 2:
            end()
        return text(item)

    with spread(make, range(6)) as rest:
        time.sleep(0.05)
        assert rest(nobody) == [text(i) for i in range(6)]


def test_an_interrupt_ends_copies_at_once() -> None:
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt), spread(lambda item: time.sleep(60) or b"", range(6)):
        raise KeyboardInterrupt
    assert time.monotonic() - began < 30


@pytest.mark.parametrize("lacking", ["fork", "memfd_create"])
def test_a_machine_without_room_for_copies_makes_all_here(lacking: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise BlockingIOError

    monkeypatch.setattr(os, lacking, refuse)
    with spread(lambda item: text(item) + b"%d" % os.getpid(), range(3)) as rest:
        assert rest(nobody) == [b"%d%d" % (i, PARENT) for i in range(3)]


def test_one_core_has_no_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0})
    monkeypatch.delattr(os, "fork")
    with spread(text, range(3)) as rest:
        assert rest(nobody) == [b"0", b"1", b"2"]


def test_copies_that_the_system_itself_buries_are_not_missed() -> None:
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        with spread(text, range(6)) as rest:
            assert rest(nobody) == [text(i) for i in range(6)]
    finally:
        signal.signal(signal.SIGCHLD, before)


def test_copies_of_a_process_that_is_killed_end() -> None:
    """They hold its pipe, whose end is seen when all have."""
    code = """
import os, time
os.sched_getaffinity = lambda pid: {0, 1, 2}
from shoal.pipeline.copies import spread
def make(item):
    os.write(1, b"x")
    time.sleep(0.05)
    return b""
with spread(make, range(1000)):
    time.sleep(60)
"""
    began = time.monotonic()
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as program:
        assert program.stdout
        program.stdout.read(2)
        program.kill()
        program.stdout.read()
    assert time.monotonic() - began < 30
