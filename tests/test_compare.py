"""`shoal compare`: two cells, and two git revisions of a study whose results DVC has in its cache."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from dvc.repo import Repo

from shoal.pipeline import store
from shoal.pipeline.numbers import number
from shoal.pipeline.paths import Paths
from shoal.pipeline.tasks.regression import MSE
from shoal.pipeline.terminal import cli
from shoal.pipeline.terminal.compare import Side, is_identical
from shoal.pipeline.terminal.revisions import WORKSPACE, snapshot
from tests import studies

SWEEPS: dict[str, Any] = {
    "shapes": {"activation": ["tanh", "linear"], "depth": 1, "width": [4, 20], "optimizer": "ridge", "alpha": 0.1}
    | {"replicates": 12},
    "again": {"activation": ["tanh"], "depth": 1, "width": 20, "optimizer": "ridge", "alpha": 0.1, "replicates": 12},
    "few": studies.RIDGE,
}
Captured = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    return studies.complete(tmp_path_factory.mktemp("study"), SWEEPS)


@pytest.fixture
def study(finished: Paths, monkeypatch: pytest.MonkeyPatch) -> Paths:
    monkeypatch.chdir(finished.root)
    return finished


def compare(capsys: Captured, a: str, b: str, told: str = "") -> str:
    with pytest.raises(SystemExit) as end:
        cli.main(["compare", a, b])
    out, err = capsys.readouterr()
    assert (end.value.code, err) == (0, told)
    return out


def row(out: str, head: str) -> list[str]:
    [found] = [line.split() for line in out.splitlines() if line.strip().startswith(head)]
    return found[len(head.split()) :]


# ---- cells


def test_two_cells_side_by_side(study: Paths, capsys: Captured) -> None:
    out = compare(capsys, "shapes/tanh-d1-w004", "linear-d1-w004")
    cells = store.read_table(study.cells).set_index("cell").loc[["tanh-d1-w004", "linear-d1-w004"]]
    assert row(out, "networks") == ["12", "12"]
    assert row(out, "diverged") == ["0", "0"]
    for rank in ("median", "q1", "q3", "min", "max"):
        assert row(out, f"{rank} ") == [number(value) for value in cells[f"test_error_{rank}"]]
    assert row(out, "typical") == [number(10**value) for value in cells["log10_test_error_iqm"]]
    ends = [number(10 ** cells[f"log10_test_error_iqm_{end}"].iloc[n]) for n in (0, 1) for end in ("low", "high")]
    assert row(out, "95 % interval") == [ends[0], "to", ends[1], ends[2], "to", ends[3]]


def test_a_declared_comparison_has_its_corrected_p_whichever_comes_first(study: Paths, capsys: Captured) -> None:
    cells = ("tanh-d1-w004", "linear-d1-w004")
    for words, said, counts in ((cells, "A beats B", "12, B in 0"), (cells[::-1], "B beats A", "0, B in 12")):
        out = compare(capsys, *words)
        assert f"Declared comparison: {said} (p = 0.002 after Holm over all 4 of the sweep)." in out
        assert f"12 paired replicates: A has the smaller test mse in {counts}; typically mse A / mse B = " in out


def test_a_pair_of_the_users_own_is_tested_with_a_warning(study: Paths, capsys: Captured) -> None:
    out = compare(capsys, "tanh-d1-w004", "linear-d1-w020")
    assert "Not declared beforehand: A beats B (p = 0.00049), if this pair was chosen before its results" in out


def test_cells_of_two_sweeps_are_paired_by_replicate(study: Paths, capsys: Captured) -> None:
    """The same networks in two sweeps: every pair is equal."""
    out = compare(capsys, "shapes/tanh-d1-w020", "again/tanh-d1-w020")
    assert "12 paired replicates: A has the smaller test mse in 0, B in 0; typically mse A / mse B = 1." in out
    assert "neither is shown to beat the other (p = 1)" in out


def test_few_replicates_have_no_test(study: Paths, capsys: Captured) -> None:
    out = compare(capsys, "few/relu-d2-w004", "few/linear-d2-w004")
    assert "No test and no claim from fewer than 10 pairs." in out
    assert row(out, "95 % interval") == ["none", "below", "10", "networks"] * 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("tanh-d1-w020", "linear-d1-w020"), "compare: found 'tanh-d1-w020', a cell of several sweeps; allowed: "),
        (("linear-d1-w020", "nothing"), "compare: found 'nothing', which is no cell; allowed: two cells, or two git"),
    ],
)  # fmt: skip
def test_words_that_are_no_two_cells(study: Paths, capsys: Captured, words: tuple[str, str], said: str) -> None:
    assert studies.refusal(lambda: cli.main(["compare", *words]), capsys).startswith(said)


# ---- revisions

DVC_YAML = """\
stages:
  study:
    cmd: "true"
    outs: [data, evaluation]
"""


def run(root: Path, *command: str) -> None:
    environment = os.environ | {"GIT_CONFIG_GLOBAL": os.devnull}
    subprocess.run(command, cwd=root, check=True, capture_output=True, env=environment)


def commit(paths: Paths, tag: str) -> None:
    """Put the results into DVC's cache and everything else into git."""
    with Repo(str(paths.root)) as repo:
        repo.commit(force=True)
    run(paths.root, "git", "add", "params.yaml", "dvc.yaml", "dvc.lock", ".dvc")
    run(paths.root, "git", "-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "--quiet", "--message", tag)
    run(paths.root, "git", "tag", tag)


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    """Revisions: `one`; `two`, where a sweep is gone and a cell is better; `three`, with another seed.

    The study is a folder of the repository.
    """
    root = tmp_path_factory.mktemp("history") / "study"
    root.mkdir()
    paths = studies.complete(root, SWEEPS)
    run(root.parent, "git", "init", "--quiet")
    Repo.init(str(root), subdir=True).close()
    (root / "dvc.yaml").write_text(DVC_YAML, encoding="utf-8")
    commit(paths, "one")
    networks = store.read_table(paths.networks)
    networks.loc[networks["cell"] == "linear-d1-w004", "test_error"] /= 2 + np.arange(12)
    store.write_table(paths.networks, networks[networks["sweep"] == "shapes"])
    commit(paths, "two")
    params = paths.params.read_text(encoding="utf-8")
    paths.params.write_text(params.replace("9001", "9002"), encoding="utf-8")
    commit(paths, "three")
    return paths


@pytest.fixture
def revisions(history: Paths, monkeypatch: pytest.MonkeyPatch) -> Paths:
    monkeypatch.chdir(history.root)
    return history


def test_two_revisions_cell_by_cell(revisions: Paths, capsys: Captured) -> None:
    out = compare(capsys, "one", "two")
    better = row(out, "shapes/linear-d1-w004")
    assert " ".join(better).endswith("B beats A (p = 0.00049)")
    assert float(better[0]) > float(better[4])
    assert "shapes/linear-d1-w020" not in out
    assert "3 cells are bit-identical" in out
    assert "only in one: again/tanh-d1-w020, few/relu-d2-w004, few/linear-d2-w004" in out
    assert "only in two" not in out
    assert "p after Holm over 1 cell, those whose networks differ" in out


def test_cells_are_identical_where_networks_and_errors_are() -> None:
    """Two cells that diverged as a whole have equal errors, but are other networks if their ids are others."""
    columns = {"network_id": ["a", "b"], "replicate": [0, 1], "error": "mse"} | dict.fromkeys(MSE.columns, np.inf)
    one = Side("s/c", pd.DataFrame(columns), 0, MSE)
    assert is_identical(one, one._replace(networks=one.networks[::-1][::-1]))
    assert not is_identical(one, one._replace(networks=one.networks.assign(network_id=["a", "c"])))
    assert not is_identical(one, one._replace(networks=one.networks.assign(test_error=1.0)))
    assert not is_identical(one, one._replace(networks=one.networks[:1]))


def test_other_starts_are_no_pairs(revisions: Paths, capsys: Captured) -> None:
    out = compare(capsys, "two", "three")
    assert "not paired and not tested: seed or data differ" in out
    assert "beats" not in out


def test_the_workspace_is_a_revision_that_params_may_have_left_behind(revisions: Paths, capsys: Captured) -> None:
    told = "not up to date: seed changed after these results; `dvc repro` renews them\n"
    assert "4 cells are bit-identical" in compare(capsys, "three", "workspace", told)
    assert "bit-identical" in compare(capsys, "one", "two"), "which have no such line, whatever lies here"


def test_rows_with_text_and_gaps_are_compared_cell_by_cell(finished: Paths, tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    paths.params.write_text("seed: 1\n", encoding="utf-8")
    store.write_table(paths.networks, store.read_table(finished.networks))
    rows = pd.DataFrame({"city": ["Bern", None, "Zug"], "age": [1.0, np.nan, 3.0]})
    found = []
    for city in ("Zug", "Zug", "Genf"):
        store.write_table(paths.data / "train.parquet", rows.replace({"city": {"Zug": city}}))
        store.write_table(paths.data / "test.parquet", rows)
        found.append(snapshot(paths, WORKSPACE))
    assert found[0].has_data_of(found[1])
    assert not found[0].has_data_of(found[2])
    assert found[0].n_test == 3


def test_revisions_that_are_not_there(revisions: Paths, capsys: Captured) -> None:
    said = studies.refusal(lambda: cli.main(["compare", "one", "tow"]), capsys)
    assert said.startswith(
        "compare: found no evaluation/networks.parquet of 'tow'; allowed: two cells, or two git revi"
    )


def test_results_that_the_cache_no_longer_has(revisions: Paths, capsys: Captured, tmp_path: Path) -> None:
    cache = revisions.root / ".dvc" / "cache"
    cache.rename(tmp_path / "cache")
    try:
        said = studies.refusal(lambda: cli.main(["compare", "one", "two"]), capsys)
    finally:
        (tmp_path / "cache").rename(cache)
    assert said.startswith("compare: found no evaluation/networks.parquet of 'one'; allowed: ")
