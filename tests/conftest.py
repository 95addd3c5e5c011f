"""A project folder with an empty tracking store, and no store of the user's own."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import settings

from shoal.pipeline.paths import Paths

settings.register_profile("suite", derandomize=True, max_examples=40)
settings.register_profile("fuzz", derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))
"""The suite has the same examples every time, so that what fails is what was changed; `make fuzz` looks for others."""


def pytest_sessionstart(session: pytest.Session) -> None:
    """What several processes will run tests of is compiled before: each of them would compile it at the same time."""
    if getattr(session.config.option, "numprocesses", None):
        subprocess.run([sys.executable, "-m", "tests.every_kernel"], cwd=Path(__file__).parents[1], check=True)


LONGEST = (
    "test_host.py", "test_training.py", "test_same_bits.py", "test_stage_kills.py", "test_tracking_servers.py",
    "test_report.py", "test_broken_world.py", "test_tracking_kills.py", "test_losses.py", "test_packaging.py",
    "test_kernel_cache.py", "test_warmup.py", "test_products.py", "test_memory.py", "test_reproducible.py",
    "test_tracked_model.py", "test_names.py", "test_begin.py", "test_interrupts.py", "test_dvc.py", "test_execution.py",
)  # fmt: skip
"""The files of tests that take longest."""


gc.disable()  # until every file of tests, and all that they use, is imported: each look for garbage takes longer


def pytest_collection_finish() -> None:
    """What is imported stays, half a million objects: looking through them again takes a tenth of the time."""
    gc.freeze()
    gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Those first, so that processes which share the files come to an end at the same time."""
    items.sort(key=lambda item: item.path.name not in LONGEST)


@pytest.fixture(scope="session")
def blank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store without experiments, made as `track` makes it: its tables take 2 s."""
    from shoal.pipeline.tracking import database  # MLflow takes a second: only the tests of tracking wait for it

    paths = Paths(tmp_path_factory.mktemp("blank"))
    database.prepare(paths)
    return paths.mlflow_database


@pytest.fixture(autouse=True)
def _own_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("SHOAL_STORE", raising=False)


@pytest.fixture
def root(tmp_path: Path, blank: Path) -> Path:
    """A project folder, named as people name folders, with a copy of the blank store."""
    from tests.made_up import copy_store

    folder = tmp_path / "my 100% study"
    folder.mkdir()
    copy_store(blank, folder / "mlflow.db")
    return folder
