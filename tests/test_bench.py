"""The benchmark of tracking runs on tables as the stages write them today; that of accuracy says what it has."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier, DummyRegressor

from bench import accuracy_page, accuracy_peers
from bench.tracking import study
from shoal.pipeline.tracking import track
from tests.made_up import runs_of

pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:DeprecationWarning")


def test_made_up_study_is_tracked(tmp_path: Path) -> None:
    paths = study(tmp_path, 2)
    track(paths, ["made"])
    names = sorted(run.info.run_name.split()[0] for run in runs_of(paths, "made"))
    assert names == ["made", "relu-d1-w0000", "relu-d1-w0001"]


def test_the_page_of_accuracy_has_ratios_and_says_what_was_run() -> None:
    sizes = {"rows": 700, "features": 3, "fitted": 595, "test": 70, "is_of_classes": False}

    def split(shoal: float) -> dict[str, object]:
        errors = dict.fromkeys(accuracy_page.NAMES, 2.0) | {accuracy_page.SHOAL: shoal}
        return {"errors": errors, "seconds": dict.fromkeys(accuracy_page.NAMES, 1.5), **sizes}

    page = accuracy_page.render({"a": [split(1), split(4)], "b": [split(1)], "c": []}, 2, {"cores used": "2"})
    assert "| a | 700 | 3 | 595 | 35 | 70 | 2 | RMSE | 2 | 1.000 (1 of 2) | 1.000 | 1.000 | 1.000 |" in page
    assert "| b | 700 | 3 | 595 | 35 | 70 | 1 | RMSE | 2 | 0.500 (1 of 1) |" in page
    assert "Of these 2 tables, shoal's ratio is at most 1.01 on 2 and at most 0.97 on 1." in page
    assert "Not all was run: b: 1 of 2 splits; c: 0 of 2 splits.\n" in page


@pytest.mark.parametrize("is_of_classes", [False, True])
def test_a_peer_is_fitted_once_for_the_same_rows(
    is_of_classes: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data").mkdir()
    settings = {"feature_names": ["x"], "target_names": ["y"]} | ({"classes": ["a", "b"]} if is_of_classes else {})
    (tmp_path / "data" / "data.json").write_text(json.dumps(settings), encoding="utf-8")
    monkeypatch.setattr(accuracy_peers, "read_json", lambda path: json.loads(path.read_text(encoding="utf-8")))
    y = np.array(["a", "b", "b", "b"] if is_of_classes else [0.0, 4.0, 4.0, 4.0])
    for name, rows in (("train", [0, 1, 2]), ("validation", [3]), ("test", [0, 3])):
        pd.DataFrame({"x": rows, "y": y[rows]}).to_parquet(tmp_path / "data" / f"{name}.parquet")
    made = DummyClassifier(strategy="prior") if is_of_classes else DummyRegressor()
    monkeypatch.setattr(accuracy_peers, "CLASSIFICATION" if is_of_classes else "REGRESSION", {"mean": lambda: made})
    fold = accuracy_peers.Fold(tmp_path)
    assert fold.columns == (["y_probability_a", "y_probability_b"] if is_of_classes else ["y_predicted"])
    found = accuracy_peers.measure(fold, "t", 0, tmp_path / "kept")
    expected = -np.mean(np.log([1 / 4, 3 / 4])) if is_of_classes else np.sqrt((3**2 + 1**2) / 2)
    assert found["mean"][0] == pytest.approx(expected)
    monkeypatch.setattr(accuracy_peers, "_fitted", None)
    assert accuracy_peers.measure(fold, "t", 0, tmp_path / "kept") == found
