"""A study of which every network diverged: a result, which every stage takes and tells."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from shoal.pipeline import store
from shoal.pipeline.paths import Paths
from shoal.pipeline.stages import _stage, predict, report, track
from shoal.pipeline.terminal.show import columns_of
from tests import studies
from tests.made_up import parent_of, runs_of

HOPELESS = {"activation": "linear", "depth": 2, "width": 4, "learning_rate": 1e12, "steps": 20, "replicates": 2}


@pytest.fixture(scope="module")
def hopeless(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    """A study of which no network is left, with several targets and up to the end of it."""
    paths = studies.complete(tmp_path_factory.mktemp("hopeless"), {"one": HOPELESS, "two": HOPELESS}, source="file")
    studies.without_gradcheck(paths)
    report.run(paths)
    return paths


def test_where_all_diverged_nothing_is_chosen_and_predictions_are_empty(hopeless: Paths) -> None:
    assert hopeless.chosen.read_text(encoding="utf-8") == "null\n"
    table = pd.read_csv(hopeless.test_predictions)
    names = ["speed_m_s", "angle_deg", "range_m", "height_m"]
    assert list(table) == ["row", *names, "range_m_predicted", "height_m_predicted"]
    np.testing.assert_array_equal(table[names], pd.read_parquet(hopeless.data / "test.parquet")[names])
    assert table[["range_m_predicted", "height_m_predicted"]].isna().all(axis=None)
    assert store.read_table(hopeless.all_cells)["y_hat"].isna().all()
    metrics = store.read_json(hopeless.metrics("one"))
    assert (metrics["diverged"], metrics["best_cell"]) == (2, None)
    assert {value for ranks in metrics["best"].values() for value in ranks.values()} == {None}
    assert _stage.summary("predict", 1.0, predict.run(hopeless)) == (
        "predict: none chosen: all 4 networks diverged, 1.0 s"
    )


def test_where_all_diverged_no_cell_is_marked_as_the_best(hopeless: Paths) -> None:
    cells = store.read_table(hopeless.cells)
    marks = columns_of(cells[cells["sweep"] == "one"])[0]
    assert list(marks.cells) == [""]


def test_the_report_says_that_all_diverged_and_when(hopeless: Paths) -> None:
    steps = store.read_runs(hopeless, ["one", "two"])["diverged_step"]
    assert steps.notna().all() and steps.nunique() == 1
    page = hopeless.report.read_text(encoding="utf-8")
    said = f"All 4 networks diverged, at step {steps[0]}: there is none to predict with"
    assert f"{said}." in page
    assert f"{said}, and <code>predictions/test_predictions.csv</code> has no predicted values." in page
    assert f"Sweep one: All 2 networks diverged, at step {steps[0]}." in page
    assert "| one | 2 | 2 | - | - | - |" in (hopeless.docs / "results.md").read_text(encoding="utf-8")


@pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:DeprecationWarning")
def test_mlflow_has_a_study_of_which_nothing_is_left(hopeless: Paths) -> None:
    assert track.run(hopeless) == {"runs": 4}
    step = store.read_runs(hopeless, ["one"])["diverged_step"][0]
    for sweep in ("one", "two"):
        run = parent_of(hopeless, sweep)
        assert f"All networks diverged, the first at step {step}." in run.data.tags["mlflow.note.content"]
        assert "shoal.model" not in run.data.tags
        [cell] = (run for run in runs_of(hopeless, sweep) if run.data.tags["shoal.kind"] == "cell")
        assert cell.data.tags["mlflow.note.content"].endswith(
            "Median test score diverged, quartiles diverged and diverged."
        )
        assert run.data.tags["shoal.state"] == cell.data.tags["shoal.state"]
