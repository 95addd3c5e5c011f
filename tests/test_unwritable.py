"""Folders that may be read alone: a line, nothing damaged, and a sweep that uses what a store has."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pytest

from shoal.pipeline.errors import guarded
from shoal.pipeline.paths import Paths
from shoal.pipeline.stages import sweep
from tests import studies

SWEEP = studies.SIZES | {"depth": 1, "replicates": 2}
"""Eight networks."""
CAPABILITIES_3 = 0x20080522
T = TypeVar("T")


def as_a_user(call: Callable[[], T]) -> T:
    """What a call gives that permissions hold for, also where the tests are run by root.

    It runs in a thread of its own, which has given away all powers: they are each thread's.
    """

    def powerless() -> T:
        head, none = (ctypes.c_uint32 * 2)(CAPABILITIES_3, 0), (ctypes.c_uint32 * 6)()
        assert ctypes.CDLL(None).capset(head, none) == 0
        return call()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(powerless).result()


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """No file of the folder can be written, and there will be no others."""
    paths = [folder, *folder.rglob("*")]
    modes = [path.stat().st_mode for path in paths]
    for path, mode in zip(paths, modes, strict=True):
        path.chmod(mode & ~0o222)
    try:
        yield
    finally:
        for path, mode in zip(paths, modes, strict=True):
            path.chmod(mode)


@pytest.fixture
def study(tmp_path: Path) -> Paths:
    return studies.train(studies.write(tmp_path, {"sizes": SWEEP}), ["sizes"])


def test_a_store_that_can_be_read_is_used(study: Paths, capsys: pytest.CaptureFixture[str]) -> None:
    before = studies.files(study.store)
    with read_only(study.store):
        studies.write(study.root, {"sizes": SWEEP | {"replicates": 3}})
        facts = as_a_user(lambda: sweep.run(study, "sizes"))
    assert (facts["known"], facts["trained"]) == (8, 4)
    said = capsys.readouterr().err
    assert said.startswith(f"{study.store}: found ")
    assert said.endswith("; networks are trained without being kept; SHOAL_STORE names another folder\n")
    assert said.count("\n") == 1
    assert studies.files(study.store) == before
    assert sweep.run(study, "sizes")["trained"] == 4


def test_a_folder_that_cannot_be_written_is_told(study: Paths, capsys: pytest.CaptureFixture[str]) -> None:
    before = studies.files(study.root)

    def work() -> None:
        as_a_user(lambda: sweep.run(study, "sizes"))

    with read_only(study.root):
        assert guarded(work) == 2
    where = study.results / "sizes" / "receipt.json"
    assert capsys.readouterr().err == (
        f"{where}: found permission denied; allowed: a place that may be read and written\n"
    )
    assert studies.files(study.root) == before
