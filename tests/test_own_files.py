"""Rows in a file for each part: what is fitted to them, columns that do not agree, and tests without targets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from shoal.pipeline import config, data, report
from shoal.pipeline.config import ConfigError
from shoal.pipeline.paths import Paths
from shoal.pipeline.stages import evaluate, predict
from shoal.pipeline.stages import report as report_stage
from shoal.pipeline.statistics.errors import UNTESTED
from shoal.pipeline.study.check import check
from shoal.pipeline.terminal import cli
from shoal.pipeline.terminal.show import show
from tests import studies
from tests.datasets import configure

Captured = pytest.CaptureFixture[str]
FILES = {"path": None, "train": "a.csv", "validation": "b.csv", "test": "c.csv"}
KEYS: dict[str, Any] = FILES | {"targets": ["y"], "id": "name", "fractions": {"train": 0.8, "calibration": 0.2}}


def rows(n: int, first: int = 0) -> pd.DataFrame:
    i = np.arange(first, first + n)
    kind = np.array(["p", "q"])[i % 2]
    return pd.DataFrame({"name": [f"n{k}" for k in i], "x": i * 1.5 % 7, "kind": kind, "y": i * 2.5 % 11})


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Three tables of which each has a form of its own."""
    rows(40).to_csv(tmp_path / "a.csv", index=False)
    rows(10, 40).to_csv(tmp_path / "b.csv", index=False, sep=";", decimal=",")
    rows(12, 50)[["kind", "y", "name", "x"]].to_csv(tmp_path / "c.csv", index=False)
    return tmp_path


def build(root: Path, **keys: Any) -> data.Dataset:
    paths = configure(root, **KEYS | keys)
    return data.build(config.load(paths), paths)


def refusal(root: Path) -> list[str]:
    with pytest.raises(ConfigError) as error:
        build(root)
    return str(error.value).splitlines()


def test_each_part_has_the_rows_of_its_file(root: Path) -> None:
    dataset = build(root)
    every = rows(62)
    assert dataset.calibration is not None
    assert (len(dataset.train.x), len(dataset.calibration.x)) == (32, 8)
    for split, first in ((dataset.train, 0), (dataset.calibration, 0), (dataset.validation, 40), (dataset.test, 50)):
        there = every.iloc[split.rows + first - 1]
        np.testing.assert_array_equal(split.y[:, 0], there["y"])
        np.testing.assert_array_equal(split.x[:, 0], there["x"])
        assert split.ids["name"].tolist() == there["name"].tolist()
    np.testing.assert_allclose(dataset.x_scaling.mean[0], dataset.train.x[:, 0].mean())
    rows(10, 40).assign(x=1e6, kind="new").to_csv(root / "b.csv", index=False)
    rows(12, 50).assign(x=-1e6, kind="other").to_csv(root / "c.csv", index=False)
    other = build(root)
    assert (other.preparation, other.data_hash) == (dataset.preparation, dataset.data_hash)
    rows(12, 50).assign(more=1).to_csv(root / "c.csv", index=False)
    told = list(map(str, build(root).notices))
    assert told[0].startswith("warning: c.csv: 'more': a.csv has no such column, so that it is left out")
    assert told[-1].startswith("warning: b.csv: column 'kind': 10 cells of levels that no training row has, 'new' (10)")


def test_columns_that_do_not_agree_are_told_one_by_one(root: Path) -> None:
    rows(10, 40).rename(columns={"kind": "kinds"}).drop(columns="y").to_csv(root / "b.csv", index=False)
    rows(12, 50).drop(columns=["x", "y"]).to_csv(root / "c.csv", index=False)
    assert refusal(root) == [
        "b.csv: column 'kind': found nothing; allowed: each column that a.csv has; did you mean 'kinds'?",
        "b.csv: column 'y': found nothing; allowed: each column that a.csv has",
        "c.csv: column 'x': found nothing; allowed: each column that a.csv has",
    ]
    rows(10, 40).astype({"x": object}).replace({"x": {60 % 7: "far"}}).to_csv(root / "b.csv", index=False)
    rows(12, 50).assign(y=["?"] * 11 + ["3"]).to_csv(root / "c.csv", index=False)
    found = refusal(root)
    assert [line.partition(": found")[0] for line in found] == ["b.csv: column 'x', row 2", "c.csv: column 'y', row 2"]


def test_tests_without_targets_are_predicted_and_not_evaluated(root: Path, capsys: Captured) -> None:
    rows(12, 50).drop(columns="y").to_csv(root / "c.csv", index=False)
    sweep = studies.RIDGE | {"replicates": 10}
    params = json.loads((configure(root, **KEYS).root / "params.yaml").read_text(encoding="utf-8"))
    params |= {"sweeps": {"ridge": sweep}, "interval": 0.5, "choose": "cell"}
    (root / "params.yaml").write_text(json.dumps(params), encoding="utf-8")
    paths = studies.train(Paths(root), ["ridge"])
    evaluate.run(paths)
    predict.run(paths)
    table = pd.read_csv(paths.test_predictions)
    assert table["row"].tolist() == list(range(1, 13))
    assert table["name"].tolist() == rows(12, 50)["name"].tolist()
    assert table[["y_predicted", "y_low", "y_high"]].notna().all().all()
    show(paths, ["ridge"])
    out = " ".join(capsys.readouterr().out.split())
    assert UNTESTED in out
    assert "the test rows have no targets" in out
    assert "ridge: validation mse" in out
    assert not any(word in out for word in ("test mse", "nan", "low, high"))
    studies.without_gradcheck(paths)
    study = report_stage.load(paths)
    page = report.results_page(study)
    assert UNTESTED in page
    sections = report.sections(study)
    assert "test mse" not in page + str([section.blocks for section in sections])
    assert report.figures(study) == [plot for section in sections for plot in section.plots]


def test_init_lists_the_files_in_the_stages(root: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    monkeypatch.chdir(root)
    with pytest.raises(SystemExit) as end:
        cli.main(["init", "a.csv", "study", "--target", "y", "--test", "c.csv"])
    assert end.value.code == 0
    assert "32 / 8 / 12 to train, validate, test" in capsys.readouterr().out
    stages = Path("study/dvc.yaml").read_text(encoding="utf-8")
    assert "      - ${data.train}\n      - ${data.test}\n    outs:" in stages
    settings = config.load(Paths(Path("study"))).data
    assert (settings.files, settings.fractions.shares) == (
        {"train": "a.csv", "test": "c.csv"},
        {"train": 0.8, "validation": 0.2},
    )
    Path("study/dvc.yaml").write_text(stages.replace("- ${data.test}", ""), encoding="utf-8")
    assert list(map(str, check(Paths(Path("study"))).faults)) == [
        "dvc.yaml: deps of the stage data: found no test file; allowed: a line - ${data.test} there for each file of "
        "params.yaml, and none for others"
    ]
    refused = studies.refusal(lambda: cli.main(["init", "a.csv", "--target", "y", "--validation", "b.csv"]), capsys)
    assert refused.startswith("--validation: found 'b.csv'; allowed: --test FILE beside it")
