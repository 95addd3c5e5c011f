"""The same numbers to the last bit: alone or among others, again, and on any number of threads."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numba
import pandas as pd
import pytest

from shoal.pipeline import store
from shoal.pipeline.paths import Paths
from shoal.pipeline.stages import data, evaluate, predict, sweep
from tests import studies

AS_COMMANDS = """\
import runpy, sys
def run(module, words):
    sys.argv[1:] = words
    runpy.run_module(module, run_name="__main__")
"""
"""Runs stages the way `python -m` does, one after the other in one process."""


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    return studies.complete(tmp_path_factory.mktemp("study"))


def rows(paths: Paths, name: str) -> dict[str, pd.DataFrame]:
    """The three result tables of a sweep, in the order of the networks' ids."""
    tables = {part: store.read_table(getattr(paths, part)(name)) for part in ("runs", "curves", "weights")}
    tables["weights"]["params"] = [params.tobytes() for params in tables["weights"]["params"]]
    return {key: table.sort_values("network_id", kind="stable") for key, table in tables.items()}


@pytest.mark.parametrize(
    ("name", "fewer"),
    [
        ("sizes", studies.SIZES | {"width": [5], "depth": [2, 1]}),
        ("sizes", studies.SIZES | {"activation": ["tanh"], "learning_rate": 0.05}),
        ("sizes", studies.SIZES | {"replicates": 1}),
        ("ridge", studies.RIDGE | {"activation": "linear", "replicates": 1}),
        ("batch", studies.BATCH | {"hidden_sizes": [[4, 3]], "batch_size": [50]}),
        ("rates", studies.RATES | {"steps": [5]}),
        ("rates", studies.RATES | {"learning_rate": [0.1], "replicates": 1}),
    ],
)
def test_part_of_a_sweep_gives_the_rows_of_the_whole(
    study: Paths, tmp_path: Path, name: str, fewer: dict[str, Any]
) -> None:
    paths = studies.train(studies.write(tmp_path, {name: fewer}), [name])
    part, whole = rows(paths, name), rows(study, name)
    ids = part["runs"]["network_id"]
    assert 0 < len(ids) <= len(whole["runs"]) / 2 or fewer.get("replicates") == 1
    assert len(ids) < len(whole["runs"])
    for key, table in part.items():
        expected = whole[key][whole[key]["network_id"].isin(ids)]
        pd.testing.assert_frame_equal(table.reset_index(drop=True), expected.reset_index(drop=True), check_exact=True)


@pytest.mark.parametrize("stored", [True, False])
def test_running_again_changes_no_byte(
    study: Paths, stored: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = studies.files(study.root)
    if not stored:
        monkeypatch.setenv("SHOAL_STORE", str(tmp_path))
    data.run(study)
    for name in studies.SWEEPS:
        sweep.run(study, name)
    evaluate.run(study)
    predict.run(study)
    assert studies.files(study.root) == before


def test_another_number_of_threads_gives_the_same_bytes(study: Paths, tmp_path: Path) -> None:
    n_threads = 1 if numba.config.NUMBA_NUM_THREADS > 1 else 2
    paths = studies.write(tmp_path)
    stages = [("data",), *(("sweep", name) for name in studies.SWEEPS), ("evaluate",), ("predict",)]
    lines = [f"run('shoal.pipeline.stages.{stage[0]}', {stage[1:]!r})" for stage in stages]
    environment = os.environ | {"NUMBA_NUM_THREADS": str(n_threads)}
    subprocess.run([sys.executable, "-c", AS_COMMANDS + "\n".join(lines)], cwd=tmp_path, env=environment, check=True)
    made = {name: content for name, content in studies.files(paths.root).items() if not name.startswith("logs/")}
    assert made == studies.files(study.root)
