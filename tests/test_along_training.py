"""What is done along training, and optimizers' own numbers, all the way from params.yaml to report and tracking."""

from __future__ import annotations

import pandas as pd
import pytest

from shoal.pipeline import config, data, store
from shoal.pipeline.figures import heatmap, scores
from shoal.pipeline.paths import Paths
from shoal.pipeline.report import results as sweep_results
from shoal.pipeline.report.claims.divergence import divergence_sentences, longest
from shoal.pipeline.report.claims.findings import findings
from shoal.pipeline.report.result_tables import score_table
from shoal.pipeline.report.results import SweepResults
from shoal.pipeline.report.sections import description
from shoal.pipeline.stages import gradcheck
from shoal.pipeline.statistics.axes import at_levels
from shoal.pipeline.terminal.show import show
from shoal.pipeline.tracking.records import Records
from shoal.pipeline.tracking.state import read_states
from tests import studies

PLAIN = {"activation": "tanh", "depth": 1, "width": 3, "learning_rate": 0.02, "steps": 9, "replicates": 2}
ALONG = {"schedule": ["constant", "step", "cosine"], "every": 3, "warmup": 2, "weight_decay": [0, 0.01], "clip_norm": 1}
SWEEPS = {
    "along": PLAIN | {"optimizer": "adam", "beta_1": [0.8, 0.9], "steps": [6, 9]} | ALONG,
    "plain": PLAIN | {"schedule": "constant", "warmup": 0, "l2": 0, "weight_decay": 0},
    "lost": PLAIN | {"learning_rate": 1e300, "schedule": ["constant", "cosine"], "steps": [5, 7]},
}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    paths = studies.complete(tmp_path_factory.mktemp("along"), SWEEPS)
    gradcheck.run(paths)
    return paths


def results(study: Paths, name: str) -> SweepResults:
    return sweep_results.load(study, name, config.load(study).sweeps[name], data.load(study), "", None)


def test_tables_have_columns_where_networks_make_use_of_them(study: Paths) -> None:
    along, plain = (store.read_table(study.runs(name)) for name in ("along", "plain"))
    assert list(plain) == list(store.RUN_COLUMNS)
    assert list(along)[len(store.RUN_COLUMNS) :] == [
        "schedule", "every", "gamma", "warmup", "clip_norm", "weight_decay", "epsilon", "beta_1", "beta_2",
    ]  # fmt: skip
    assert along["network_id"].is_unique
    is_step = list(along["schedule"] == "step")
    assert is_step == list(along["every"].notna()) == list(along["gamma"].fillna(0).eq(0.1))
    assert "tanh-d1-w003-s00006-beta1_0.8-cosine-wd0.01" in set(along["cell"])


def test_networks_of_a_cosine_are_trained_apart(study: Paths) -> None:
    """Others that differ in steps alone are read off the longest."""
    runs, curves = store.read_table(study.runs("along")), store.read_table(study.curves("along"))
    costs = curves.groupby("network_id")["cost"].agg(list)
    for (schedule, *_), pair in runs.groupby(["schedule", "weight_decay", "beta_1", "replicate"]):
        short, long = (costs[key] for key in pair.sort_values("steps")["network_id"])
        assert (short == long[:7]) is (schedule != "cosine")


def test_the_report_speaks_of_them(study: Paths) -> None:
    found = results(study, "along")
    text = description(found)
    varied = "beta_1 (0.8, 0.9) × schedule (constant, step, cosine) × weight decay (0, 0.01) × gradient steps (6, 9)"
    assert f"Varied: activation (tanh) × {varied}." in text
    assert "epsilon 1e-08; epochs per drop 3; gamma 0.1; epochs of warm-up 2; clipping norm 1. Networks" in text
    assert "schedule" in " ".join(score_table(found).header)


def test_figures_have_axes_of_names(study: Paths) -> None:
    cells = at_levels(results(study, "along").cells, {"weight_decay": 0.01, "beta_1": 0.9})
    of_nine = at_levels(cells, {"steps": 9})
    for figure in (scores.scores(of_nine, ["schedule"]), heatmap.heat_map(of_nine, ["schedule"])):
        assert [text.get_text() for text in figure.axes[0].get_xticklabels()] == ALONG["schedule"]
    [panel] = scores.scores(cells, ["schedule", "steps"]).axes
    assert [text.get_text() for text in panel.get_legend().get_texts()] == ALONG["schedule"]
    titles = [panel.get_title() for panel in heatmap.heat_map(cells, ["schedule", "steps"]).axes]
    assert titles[:3] == [f"schedule: {name}" for name in ("constant", "step", "cosine")]


def test_names_are_compared_pair_by_pair(study: Paths) -> None:
    contrasts = store.read_table(study.contrasts)
    contrasts = contrasts[(contrasts["sweep"] == "along") & (contrasts["axis"] == "schedule")]
    pairs = [("constant", "step"), ("constant", "cosine"), ("step", "cosine")]
    assert sorted(zip(contrasts["level_a"], contrasts["level_b"], strict=True)) == sorted(8 * pairs)
    found = results(study, "along")
    claimed = contrasts.assign(verdict=store.A_BEATS_B, log10_ratio=-0.5, p_holm=0.01)
    text = " ".join(findings(SweepResults(**vars(found) | {"contrasts": claimed})))
    assert "Schedule constant beats cosine in all 8 comparisons, by a factor of 3.16." in text


def test_networks_that_are_trained_apart_are_counted_apart(study: Paths) -> None:
    found = results(study, "lost")
    assert list(longest(found)["cell"].str[-12:]) == ["00005-cosine", "007-constant", "00007-cosine"]
    [text] = divergence_sentences(found)
    assert "Networks that differ in their number of steps alone are one network here, as in training, unless" in text
    assert text.endswith("unless their schedule is cosine.")


def test_they_are_shown_and_tracked(study: Paths, capsys: pytest.CaptureFixture[str]) -> None:
    show(study, ["along"])
    assert "schedule   every   gamma   weight decay" in capsys.readouterr().out
    [state] = read_states(study, ["along"], "cell")
    records = Records(study, state)
    params = pd.DataFrame([records.of(state.cell_key(cell["cell"])).params for cell in state.cells])
    told = {"schedule": "cosine", "warmup": "2", "clip_norm": "1.0", "weight_decay": "0.01", "beta_1": "0.9"}
    assert params.iloc[-1][list(told)].to_dict() == told
    assert list(params["every"].notna()) == list(params["schedule"] == "step")
