"""What a study has ahead of it before anything runs, and what a sweep has come to while it does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest

from shoal.kernels.ensemble import NetworkSpec
from shoal.pipeline import store
from shoal.pipeline.provenance import machine
from shoal.pipeline.stages import evaluate, sweep
from shoal.pipeline.stages.sweep import samples
from shoal.pipeline.store.entries import Store
from shoal.pipeline.study import ahead, calibration, so_far, training
from shoal.pipeline.study.check import check
from shoal.pipeline.study.grid import cells
from shoal.pipeline.study.so_far import SoFar
from shoal.pipeline.terminal import cli
from tests import studies

FIRST = {
    "activation": ["relu", "tanh"],
    "depth": 1,
    "width": [3, 5],
    "learning_rate": 0.02,
    "steps": 5,
    "replicates": 3,
}
MINI = FIRST | {"batch_size": 8, "keep": "best", "steps": 100, "replicates": 2}


def printed(capsys: pytest.CaptureFixture[str]) -> dict[str, list[str]]:
    """The rows of `shoal plan` by their sweep: networks, known, to train, and so on."""
    with pytest.raises(SystemExit) as end:
        cli.main(["plan"])
    assert end.value.code == 0
    rows = [re.split(r"\s{2,}", line.strip()) for line in capsys.readouterr().out.splitlines()]
    return {row[0]: row[1:] for row in rows if len(row) == 8}


def test_the_plan_knows_what_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before the data stage, after a sweep, and after an edit; nothing is written, as nothing has to be timed."""
    monkeypatch.chdir(tmp_path)
    paths = studies.write(Path(), {"first": FIRST, "mini": MINI})
    before = studies.files(paths.root)
    rows = printed(capsys)
    assert {name: row[:3] for name, row in rows.items()} == {
        "sweep": ["networks", "known", "to train"],
        "first": ["12", "0", "12"],
        "mini": ["8", "0", "8"],
        "together": ["20", "0", "20"],
    }
    found = check(paths)
    assert f"{rows['together'][0]} networks" in found.plan[1]
    assert rows["together"][3] == re.findall(r"[\d.]+ million(?= operations)", found.plan[1])[0]
    assert studies.files(paths.root) == before and not paths.store.exists()
    studies.train(paths, ["first"])
    studies.write(Path(), {"first": FIRST | {"width": [3, 4]}, "mini": MINI})
    assert printed(capsys)["first"][:3] == ["12", "6", "6"]
    assert sweep.run(paths, "first")["trained"] == 6
    assert printed(capsys)["first"][:5] == ["12", "12", "0", "0", "-"]


@pytest.mark.parametrize("block", [FIRST, MINI, studies.RIDGE])
def test_speeds_are_measured_once(tmp_path: Path, block: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of a machine and of the sources of the engine."""
    paths = studies.write(tmp_path, {"one": block}, source="file", targets=["range_m"])
    monkeypatch.setattr(ahead, "TRIFLE", 0)
    monkeypatch.setattr(calibration, "ENOUGH", 0)
    measured = calibration._measured
    calls: list[NetworkSpec] = []

    def counted(kind: NetworkSpec, *of: Any) -> float:
        calls.append(kind)
        seconds = measured(kind, *of)
        assert 1e-13 < seconds < 1e-5
        return 1e-3

    monkeypatch.setattr(calibration, "_measured", counted)
    found = check(paths)
    assert found.study
    config, dataset = found.study
    rows = [ahead.of_study(config, dataset, Store(paths.store), print)["one"] for _ in range(2)]
    assert rows[0] == rows[1]
    assert 1 <= len(calls) <= ahead.SAMPLE
    assert [path.name for path in paths.store.iterdir()] == ["index.db"]
    grid, data = cells(config.sweeps["one"], 1, len(dataset.train.x)), samples(dataset, is_validated=True)
    one = [training.operations_of(cell.spec, data) for cell in grid]
    n = 8 if block is MINI else block["replicates"]  # two networks in lanes take as long as eight
    python, threads = ahead.PYTHON * rows[0].networks, numba.config.NUMBA_NUM_THREADS
    assert rows[0].seconds - python == pytest.approx(1e-3 * max(n * sum(one) / threads, max(one) * 8 * (n == 8)))
    first = len(calls)
    monkeypatch.setattr(machine, "name", lambda: "another machine")
    ahead.of_study(config, dataset, Store(paths.store), print)
    assert len(calls) == 2 * first


def test_the_best_so_far_is_that_of_the_evaluation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = {"first": FIRST, "wild": FIRST | {"learning_rate": [0.02, 1e200], "replicates": 1}}
    paths = studies.write(tmp_path, blocks, source="file", targets=["range_m"])
    told = studies.watched(monkeypatch)
    studies.train(paths, blocks)
    evaluate.run(paths)
    networks = store.read_table(paths.networks)
    for name, found in zip(blocks, dict.fromkeys(told), strict=True):
        own = networks[networks["sweep"] == name]
        assert found.best == pytest.approx(own["validation_error"].min(), rel=1e-12)
        assert found.n_diverged == (own["status"] == "diverged").sum()
        rmse = float(str(found).split(",")[0].removeprefix("best RMSE "))
        assert rmse == pytest.approx(np.sqrt(found.best), rel=0.005)
    assert str(found).endswith(", 4 diverged")


def test_little_time_is_spent_on_the_best_so_far(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of networks that took no time, the one with the smallest cost is looked at."""
    paths = studies.write(tmp_path, {"first": FIRST})
    looked = list[list[float]]()
    monkeypatch.setattr(SoFar, "_look_at", lambda self, part, spec, params: looked.append(params.tolist()))
    monkeypatch.setattr(so_far, "SHARE", 0.0)
    monkeypatch.setattr(sweep.progress, "is_watched", lambda: True)
    studies.train(paths, ["first"])
    sweep.run(paths, "first")
    costs = store.read_table(paths.runs("first"))["train_cost"]
    assert looked == [store.read_table(paths.weights("first"))["params"][costs.idxmin()].tolist()] * 2
