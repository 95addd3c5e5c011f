"""An error of exactly 0 is the best there is: no figure and no sentence takes it for a network that diverged."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes

from shoal.pipeline import store
from shoal.pipeline.figures import curves, heatmap, scores, style
from shoal.pipeline.figures.curves import Band
from shoal.pipeline.report import plots
from shoal.pipeline.report.claims.against_training import against_training
from shoal.pipeline.report.claims.findings import contrast_table, findings
from shoal.pipeline.report.claims.trends import trend
from shoal.pipeline.statistics import axes
from shoal.pipeline.statistics.errors import with_errors
from shoal.pipeline.statistics.signed_ranks import compare
from tests import studies
from tests.test_answers import medians, readouts
from tests.test_figures import drawn, grid_of, with_intervals
from tests.test_findings import FLAT, NAMES, PAIRS, errors, sweep


def zeros(panel: Axes) -> list[float]:
    """Where a panel has the mark of a 0 at its lower edge."""
    marks = [line for line in panel.lines if line.get_marker() == style.ZERO]
    assert all(list(line.get_ydata()) == [0.0] * len(line.get_xdata()) for line in marks)
    assert all(line.get_transform() == panel.get_xaxis_transform() for line in marks)
    return [float(x) for line in marks for x in line.get_xdata()]


# ---- figures


def test_a_heat_map_of_errors_of_0() -> None:
    table = grid_of(activation=["relu", "tanh"], depth=[1], width=[5, 10])
    table["test_error_median"] = [0.0, 1e-3, np.inf, 1e-5]
    [panel] = [panel for panel in heatmap.heat_map(table, ["width"]).axes if panel.images]
    assert [text.get_text() for text in panel.texts] == ["0", "1.0e-03", "diverged", "1.0e-05"]
    colours = np.ma.filled(np.ma.masked_invalid(panel.images[0].get_array()), np.nan)
    np.testing.assert_array_equal(colours, [[-5.0, -3.0], [np.nan, -5.0]])
    style.svg(heatmap.heat_map(table.assign(test_error_median=0.0), ["width"]))


def test_scores_of_0_are_marked_at_the_lower_edge_and_diverged_ones_at_the_upper() -> None:
    table = grid_of(steps=[10, 100, 1000])
    table[["test_error_median", "test_error_min"]] = [[0.0, 0.0], [1e-3, 1e-4], [np.inf, 1.0]]
    table["test_error_max"] = [1e-9, 1e-2, np.inf]
    panel = scores.scores(table, ["steps"]).axes[0]
    assert set(zeros(panel)) == {1.0}
    assert [list(line.get_xdata()) for line in panel.lines if line.get_marker() == "x"] == [[3.0]]
    exact = scores.scores(table.assign(test_error_median=0.0, test_error_min=0.0, test_error_max=0.0), ["steps"])
    assert drawn(exact)["relu"] == [0.0, 0.0, 0.0]
    assert "all diverged" not in [text.get_text() for text in exact.axes[0].texts]
    style.svg(exact)


def test_networks_and_learning_curves_that_reach_0() -> None:
    networks = pd.DataFrame({"series": "relu", "error": "mse", "test_error": [0.0, *np.geomspace(1e-9, 1e-1, 9)]})
    figure = scores.replicates(networks, with_intervals(grid_of(depth=[1], width=[5]), (-5, -8, -4)))
    assert zeros(figure.axes[0]) == [-0.16]
    steps = np.arange(3.0)
    band = Band(steps, *(factor * np.array([1.0, 0.01, 0.0]) for factor in (0.5, 1.0, 2.0)))
    figure = curves.learning_curves(grid_of(steps=[2]), axes.facets(grid_of(steps=[2]), []), {"c0": band}, {})
    assert zeros(figure.axes[0]) == [2.0]


def test_numbers_near_the_largest_are_drawn() -> None:
    table = grid_of(steps=[10, 100])
    table[["test_error_median", "test_error_min", "test_error_max"]] = [[1e308] * 3, [1e-300] * 3]
    style.svg(scores.scores(table, ["steps"]))


def test_the_caption_says_what_the_mark_is() -> None:
    results = medians({"relu": [0.0, 1e-3, 1e-2]})
    results.cells[["validation_error_median", "test_error_min", "test_error_max", "n_networks"]] = [1.0, 0.0, 1.0, 3]
    caption = plots.score_plot(results).caption
    assert caption.endswith(" A triangle at the lower edge: an error of 0.")


# ---- sentences


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ({"relu": [0, 1, 0]}, "stays within 1 %"),
        ({"relu": [8, 4, 0]}, "falls to 0"),
        ({"relu": [0, 4, 2]}, "rises from 0"),
        (
            {"relu": [8, 1, 2], "tanh": [3, 1, 0], "linear": [0, 1, np.inf]},
            "falls at 1 of 3 settings of activation (by a factor of 4), falls to 0 at 1 and becomes infinite at 1",
        ),
    ],
)
def test_medians_of_0_from_end_to_end(rows: dict[str, list[float]], said: str) -> None:
    assert trend(medians(rows), "width") == f"From 5 to 20 nodes per layer the median test mse {said}."


def test_a_cell_beats_another_with_an_error_of_0() -> None:
    results = sweep(errors(FLAT | {"tanh 5.0": -np.inf}), PAIRS[:1])
    _, sentence = findings(results)
    assert sentence == "tanh beats relu, with a typical error of 0."
    assert contrast_table(results).rows[0][3] == "b is 0"


def test_among_several_comparisons_the_infinite_ones_are_counted_by_their_cause() -> None:
    levels = {"relu 5.0": -1.0, "relu 10.0": -1.0, "tanh 5.0": -np.inf, "tanh 10.0": -3.0}
    _, sentence = findings(sweep(errors(levels), PAIRS[:2]))
    assert sentence.startswith("tanh beats relu in both comparisons, by a factor of ")
    assert sentence.endswith(", with a typical error of 0 in 1.")
    _, sentence = findings(sweep(errors(levels | {"relu 5.0": np.inf, "tanh 5.0": -3.0}), PAIRS[:2]))
    assert sentence.endswith(", the other typically diverging in 1.")


def test_two_exact_cells_do_not_differ() -> None:
    found = compare(np.full(12, -np.inf), np.full(12, -np.inf))
    assert (found.a_smaller, found.b_smaller, found.log10_ratio, found.p) == (0, 0, 0.0, 1.0)
    _, sentence = findings(sweep(errors(dict.fromkeys(NAMES, -np.inf)), PAIRS[:1]))
    pairs = "relu has the smaller test mse in 0 of 12 pairs, tanh in 0"
    assert sentence == f"Neither of relu and tanh is shown to beat the other ({pairs})."


def test_an_exact_ridge_readout_beats_training_that_did_not_diverge() -> None:
    ridge, trained = readouts(-5.0, "ridge"), readouts(-4.0, "gd")
    ridge.log10_errors[:] = -np.inf
    ridge.cells["test_error_median"] = 0.0
    text, table = against_training(ridge, [ridge, trained])
    assert str(text).endswith("ridge regression beats gradient descent in all, with a typical error of 0.")
    rows: Any = table
    assert [row[4] for row in rows.table.rows] == ["infinite", "infinite"]


def test_what_diverged_is_told_by_its_status(tmp_path: Any) -> None:
    """Of a constant target every readout is exact: no network diverged, and nothing says so."""
    x = np.linspace(-1, 1, 60)
    (tmp_path / "input").mkdir()
    pd.DataFrame({"x": x, "y": 7.5}).to_csv(tmp_path / "input" / "flat.csv", index=False)
    sweeps = {"ridge": {"optimizer": "ridge", "alpha": 0.1, "activation": ["relu", "tanh"], "depth": 1, "width": 3}}
    paths = studies.complete(tmp_path, sweeps, source="file", path="input/flat.csv", targets=["y"])
    networks = store.read_table(paths.networks)
    assert (networks["test_error"] == 0).all()
    assert set(networks["status"]) == {"ok"}
    table = with_errors(store.read_runs(paths, ["ridge"]), networks)
    assert np.isneginf(table["log10_test_error"]).all()
    metrics = store.read_json(paths.metrics("ridge"))
    assert (metrics["best_cell"], metrics["best"]["test_mse"]["median"]) == ("relu-d1-w003", 0.0)
    assert store.read_json(paths.chosen)["test_mse"] == 0.0
