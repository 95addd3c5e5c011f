"""A table of text, true and false, names of rows and missing cells through all stages, and new rows of it."""

from __future__ import annotations

import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from shoal.pipeline import config, data, store
from shoal.pipeline.paths import Paths
from shoal.pipeline.report.assignment.setting import data_section
from shoal.pipeline.terminal import cli
from shoal.pipeline.tracking.model import read_chosen
from shoal.pipeline.tracking.tags import Provenances
from tests import studies
from tests.datasets import MIXED, has, houses, written

Captured = pytest.CaptureFixture[str]


def served_network() -> Any:
    """A model that has loaded nothing yet."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow's own, about type hints
        from shoal.pipeline.tracking.served import ServedNetwork
    return ServedNetwork()


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    root = written(tmp_path_factory.mktemp("mixed"), houses())
    ridge = {"optimizer": "ridge", "alpha": 0.001, "activation": "linear", "depth": 1, "width": 12, "replicates": 1}
    return studies.complete(root, {"ridge": ridge}, source="file", path="t.csv", **MIXED)


def test_predictions_stand_beside_the_names_and_cells_of_the_table(study: Paths) -> None:
    table = pd.read_csv(study.test_predictions)
    assert list(table) == ["row", "name", "kind", "garden", "rooms", "price", "price_predicted"]
    own = houses().iloc[table["row"] - 1]
    assert table["name"].tolist() == own["name"].tolist()
    assert table["kind"].fillna("?").tolist() == own["kind"].tolist()
    assert table["garden"].tolist() == (own["garden"] == "true").tolist()
    close = table["rooms"].notna()
    assert close.any()
    assert np.abs(table["price_predicted"] - table["price"])[close].max() < 15, "the target is a sum of the columns"


def test_new_rows_are_predicted_alike_by_the_terminal_and_the_served_model(
    study: Paths, monkeypatch: pytest.MonkeyPatch, capsys: Captured, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(study.root)
    new = houses().drop(columns="price").head(4)
    new["kind"], new["garden"] = ["castle", "hut", "?", "flat"], ["1", "NA", "true", "FALSE"]
    new["rooms"] = ["2", "3", "NA", "99"]
    new.to_csv("new.csv", index=False)
    with pytest.raises(SystemExit) as end:
        cli.main(["predict", "new.csv", "--output", "out.csv", "--flag-range"])
    assert end.value.code == 0
    told = capsys.readouterr().err.splitlines()
    castle = "column 'kind': 1 cell of levels that no training row has, 'castle' (1), taken as none of its levels"
    assert has(told, f"new.csv: {castle}")
    assert has(told, "new.csv: column 'garden': 1 missing cell, as no training row has, taken as the median")
    assert has(told, "new.csv: 1 of 4 rows lie outside the range of training: rooms (1)")
    out = pd.read_csv("out.csv")
    assert out["outside_training_range"].fillna("").tolist() == ["kind", "", "", "rooms"]

    served = served_network()
    chosen = read_chosen(study, store.read_json(study.chosen))
    served.predictor, served.columns = chosen.predictor, chosen.outputs
    served.preparation = chosen.predictor.prepared
    rows = {"kind": ["castle", "hut", None, "flat"], "garden": [True, None, True, False], "rooms": [2, 3, None, 99]}
    answer = served.predict(None, pd.DataFrame(rows))  # type: ignore[arg-type]
    assert answer["price_predicted"].tolist() == out["price_predicted"].tolist()
    assert castle in caplog.text
    with pytest.raises(
        Exception, match="found 'big' in column 'rooms', row 1; allowed: a finite number\nfound 3 in col"
    ):
        served.predict(None, pd.DataFrame({"kind": ["hut", 3], "garden": [True, 0], "rooms": ["big", 1]}))  # type: ignore[arg-type]
    assert "`kind` (category), `garden` (boolean), `rooms` (number)" in chosen.note
    assert list(chosen.example) == ["kind", "garden", "rooms"]


def test_faults_of_new_rows_are_told_together(study: Paths, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    monkeypatch.chdir(study.root)
    Path("bad.csv").write_text("kind,garden,rooms\nhut,maybe,2\nhut,true,huge\n", encoding="utf-8")
    lines = studies.refusal(lambda: cli.main(["predict", "bad.csv", "--output", "o.csv"]), capsys).splitlines()
    assert lines == [
        "bad.csv: column 'garden', row 2: found 'maybe'; allowed: true or false; correct it",
        "bad.csv: column 'rooms', row 3: found 'huge'; allowed: a number such as 3 or -1.5e-3; correct it, or leave "
        "the column out (data.features, data.targets)",
    ]


def test_the_report_says_what_networks_see(study: Paths) -> None:
    seen = SimpleNamespace(config=config.load(study), dataset=data.load(study), is_assignment=False)
    [table] = data_section(seen).blocks  # type: ignore[arg-type]
    rows = {row[0]: row[1] for row in table.rows}  # type: ignore[union-attr]
    assert rows["features"] == "kind, garden, rooms"
    assert rows["categories"] == "an input of 1 or 0 for each level; kind: flat, house, hut"
    assert rows["true and false"] == "inputs of 1 and 0: garden"
    assert rows["missing cells"] == "an input of 1 where a cell is missing: kind, rooms"
    assert rows["in their place"] == "the median of the training split; rooms: 4"
    assert rows["units"].endswith("inputs of 1 and 0 stay as they are")


def test_mlflow_is_told_the_types_of_the_columns(study: Paths) -> None:
    types = {column["name"]: (column["type"], column["required"]) for column in Provenances(study).data.columns}
    assert types["kind"] == ("string", False)
    assert types["garden"] == ("boolean", False)
    assert types["price"] == ("double", True)
