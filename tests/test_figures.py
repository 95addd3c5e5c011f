"""Axes, figures and drawings from made-up tables: what is drawn is what the table says, and the bytes are the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.collections import PatchCollection
from matplotlib.figure import Figure

from shoal.kernels.network.architecture import ACTIVATIONS, Architecture
from shoal.pipeline.figures import columns, curves, fits, heatmap, network, residuals, scores, style
from shoal.pipeline.figures.curves import Band
from shoal.pipeline.report.assignment.setting import colours
from shoal.pipeline.statistics import axes
from shoal.pipeline.tasks.regression import MSE
from tests.problems import OR_DROPOUT, graphs


def cells(*rows: dict[str, Any]) -> pd.DataFrame:
    """Prepared cells of few replicates; the test mse of a row is its median, the range is from half to twice of it."""
    base: dict[str, Any] = dict.fromkeys(axes.LABELS) | {"architecture": "dense 1", "optimizer": "gd"}
    base |= {"error": "mse", "n_networks": 3}
    table = []
    for n, row in enumerate(rows):
        median = row.get("mse", n + 1.0)
        sizes = "-".join([str(row["width"])] * row["depth"]) if "width" in row else row.get("hidden_sizes")
        numbers = {"validation_error_median": median, "test_error_median": median}
        numbers |= {"test_error_min": median / 2, "test_error_max": median * 2}
        table.append(base | {"activation": "relu", "hidden_sizes": sizes, "cell": f"c{n}"} | numbers | row)
    return axes.prepare(pd.DataFrame(table), {})


def grid_of(**lists: list[Any]) -> pd.DataFrame:
    """Prepared cells for the product of the lists, the last of them fastest."""
    frame = pd.MultiIndex.from_product(lists.values(), names=lists.keys()).to_frame(index=False)
    return cells(*({str(key): value for key, value in row.items()} for row in frame.to_dict("records")))


def test_axes_that_vary() -> None:
    assert axes.varying(grid_of(depth=[2], width=[10])) == []
    assert axes.varying(grid_of(depth=[1, 2], width=[5, 10], learning_rate=[0.1, 0.2])) == [
        "depth",
        "width",
        "learning_rate",
    ]
    assert axes.varying(grid_of(hidden_sizes=["5-3", "10"])) == ["hidden_sizes"]
    assert axes.varying(cells({"depth": 1, "width": 5}, {"depth": 2, "width": 10})) == ["hidden_sizes"]


def test_an_axis_that_follows_from_others_is_none() -> None:
    by_activation = [{"activation": "relu", "learning_rate": 0.1}, {"activation": "tanh", "learning_rate": 0.2}]
    assert axes.varying(cells(*by_activation)) == []
    assert axes.varying(cells({"batch_size": 10, "steps": 100}, {"batch_size": None, "steps": 1})) == ["batch_size"]


@pytest.mark.parametrize("optimizer", ["gd", "adam"])
def test_the_full_batch_is_the_last_level(optimizer: str) -> None:
    table = grid_of(optimizer=[optimizer], batch_size=[None, 1, 10])
    assert [axes.level_text("batch_size", level) for level in axes.levels(table, "batch_size")] == ["1", "10", "full"]


def test_facets_keep_the_ends_and_hold_other_axes_at_the_best_cell() -> None:
    table = grid_of(depth=[1, 2], width=list(range(1, 11)), learning_rate=[0.2, 0.1], steps=[10, 20])
    table.loc[7, "validation_error_median"] = 0.0
    facets = axes.facets(table, axes.varying(table))
    assert facets.columns == [1, 4, 7, 10]
    best = table.loc[7]
    assert facets.fixed.levels == {"learning_rate": best["learning_rate"], "steps": best["steps"]}
    assert len(facets.shown(table)) == 2 * 4


def drawn(figure: Figure) -> dict[str, list[float]]:
    """Heights of the labelled lines of a figure's error bars."""
    found = [(container[0], container.get_label()) for panel in figure.axes for container in panel.containers]
    return {str(label): list(line.get_ydata()) for line, label in found if line}


def test_scores_are_the_medians_in_the_order_of_the_axis() -> None:
    table = grid_of(activation=["relu", "tanh"], depth=[1], width=[50, 5]).assign(
        test_error_median=[1.0, 2.0, 3.0, 4.0]
    )
    figure = scores.scores(table, axes.varying(table))
    assert drawn(figure) == {"relu": [2.0, 1.0], "tanh": [4.0, 3.0]}
    panel = figure.axes[0]
    assert [label.get_text() for label in panel.get_xticklabels()] == ["5", "50"]
    assert (panel.get_yscale(), panel.get_xlabel()) == ("log", "nodes per layer")


def with_intervals(table: pd.DataFrame, *intervals: tuple[float, float, float]) -> pd.DataFrame:
    """The same cells with ten replicates each, and (centre, low, high) of their log10 test mse."""
    return table.assign(n_networks=10, **dict(zip(MSE.interval_columns, np.array(intervals).T, strict=True)))


def segments(figure: Figure) -> list[tuple[float, float]]:
    """Lower and upper ends of the error bars of a figure's first panel."""
    lines = [line for artist in figure.axes[0].containers for line in artist[2]]
    return [(float(s[0, 1]), float(s[1, 1])) for line in lines for s in line.get_segments()]


def test_from_ten_replicates_on_scores_are_typical_values_with_intervals() -> None:
    table = with_intervals(grid_of(width=[5, 10], depth=[1]), (-2, -2.5, -1), (-3, -4, np.inf))
    figure = scores.scores(table, ["width"])
    assert drawn(figure)["relu"] == pytest.approx([1e-2, 1e-3])
    assert segments(figure)[:2] == [pytest.approx((10**-2.5, 0.1)), pytest.approx((1e-4, 1e-3))]
    assert "95 % interval" in figure.axes[0].get_ylabel()
    assert "range" in scores.scores(grid_of(width=[5, 10], depth=[1]), ["width"]).axes[0].get_ylabel()


def test_replicates_have_the_interval_beside_them() -> None:
    networks = pd.DataFrame({"series": "relu", "error": "mse", "test_error": np.geomspace(1e-3, 1e-1, 10)})
    table = grid_of(depth=[1], width=[5])
    found = segments(scores.replicates(networks, with_intervals(table, (-2, -2.5, -1))))
    assert found == [pytest.approx((10**-2.5, 0.1))]
    assert segments(scores.replicates(networks, table)) == []


def test_an_interval_of_equal_replicates_is_drawn_in_spite_of_rounding() -> None:
    table = with_intervals(grid_of(width=[5, 10], depth=[1]), *[(-2, np.nextafter(-2, 0), np.nextafter(-2, -3))] * 2)
    style.svg(scores.scores(table, ["width"]))


def test_a_second_axis_makes_a_panel_per_activation() -> None:
    table = grid_of(activation=["relu", "tanh"], depth=[1, 2, 3], width=[5, 10])
    figure = scores.scores(table, axes.varying(table))
    assert [panel.get_title() for panel in figure.axes] == ["relu", "tanh"]
    assert set(drawn(figure)) == {"1", "2", "3"}


def test_diverged_medians_are_crosses_and_not_points() -> None:
    table = grid_of(steps=[10, 20, 30])
    table.loc[1, ["test_error_median", "test_error_max"]] = np.inf
    table.loc[2, "test_error_max"] = np.inf
    figure = scores.scores(table, ["steps"])
    assert drawn(figure)["relu"] == [1.0, 3.0]
    crosses = [line for line in figure.axes[0].lines if line.get_marker() == "x"]
    assert [list(line.get_xdata()) for line in crosses] == [[pytest.approx(np.log10(20))]]
    style.svg(figure)


def test_learning_curves_show_the_median_and_end_where_it_does() -> None:
    table = cells({"steps": 2, "cell": "fine"}, {"activation": "tanh", "steps": 2, "cell": "wild"})
    steps = np.arange(3.0)
    fine = Band(steps, np.array([0.5, 0.05, 0.005]), np.array([1, 0.1, 0.01]), np.array([2, 0.2, 0.02]))
    wild = Band(steps, np.array([0.5, 1.0, 2.0]), np.array([1.0, 5.0, np.inf]), np.array([2.0, 1e90, np.inf]))
    figure = curves.learning_curves(table, axes.facets(table, []), {"fine": fine, "wild": wild}, {})
    lines = {str(line.get_label()): list(line.get_ydata()) for line in figure.axes[0].lines}
    assert lines == {"relu": [1, 0.1, 0.01], "tanh": [1.0, 5.0]}
    assert 5 < figure.axes[0].get_ylim()[1] < 100
    style.svg(figure)


def test_validation_curves_are_dashed_beside_those_of_training() -> None:
    """A cell without any has the same look; the axis is of both splits."""
    table = cells({"steps": 2, "cell": "watched", "loss": "huber"}, {"activation": "tanh", "steps": 2, "cell": "not"})
    band = Band(np.arange(3.0), *(factor * np.array([1.0, 0.5, 0.25]) for factor in (0.5, 1.0, 2.0)))
    lower, none = Band(np.array([0.0, 2.0]), *3 * [np.array([0.8, 0.6])]), Band(*4 * [np.zeros(0)])
    bands = {"watched": band, "not": band}
    for rows, label in ((table, "cost"), (table[:1], "mean_huber")):
        figure = curves.learning_curves(rows, axes.facets(rows, []), bands, {"watched": lower, "not": none})
        assert figure.axes[0].get_ylabel() == label
        lines = {str(line.get_label()): (line.get_linestyle(), len(line.get_xdata())) for line in figure.axes[0].lines}
        names = ["relu, train", "relu, validation", "tanh, train"][: 2 + (len(rows) > 1)]
        assert lines == dict(zip(names, [("-", 3), ("--", 2), ("-", 3)], strict=False))
        assert [text.get_text() for text in figure.legends[0].get_texts()] == names


def test_fits_have_a_row_for_every_target() -> None:
    table = grid_of(activation=["relu", "tanh"], depth=[1], width=[5, 10])
    x = np.linspace(0, 1, 5)
    y = np.stack([x, 100 * x], axis=1)
    truth = fits.Truth(x, y, False, "time", ("near", "far"))
    figure = fits.fits(table, axes.facets(table, ["width"]), x, {"c0": y, "c2": -y}, truth)
    assert [panel.get_ylabel() for panel in figure.axes] == ["near", "", "far", ""]
    assert [len(panel.lines) for panel in figure.axes] == [3, 1, 3, 1]
    assert figure.axes[2].get_ylim() == (-25, 125)


def test_an_activation_has_one_colour_everywhere() -> None:
    assert len(set(style.ACTIVATION_COLOURS.values())) == len(ACTIVATIONS)
    assert style.colour("tanh", ["tanh", "relu"]) == style.colour("tanh", ["relu", "linear", "tanh"])
    assert len({style.colour(name, ["own", "relu", "other"]) for name in ("own", "relu", "other")}) == 3


def test_bytes_are_the_same_for_the_same_contents() -> None:
    def figure() -> Figure:
        table = grid_of(depth=[1, 2], width=[5, 10])
        return scores.scores(table, axes.varying(table))

    with style.house_style():
        first, second = figure(), figure()
    assert style.svg(first) == style.svg(second)
    assert "<dc:date>" not in style.svg(first)


def test_labels_are_plain_letters() -> None:
    panel = scores.scores(grid_of(width=[5, 10], depth=[1]), ["width"]).axes[0]
    panel.set_ylim(1e-3, 1e0)
    assert [panel.yaxis.get_major_formatter()(value) for value in (1e-3, 1.0, 1e12)] == ["10⁻³", "10⁰", "10¹²"]
    panel.set_ylim(2e-4, 7e-4)
    labels = panel.yaxis.get_minor_formatter().format_ticks([2e-4, 3e-4])
    assert labels == ["2×10⁻⁴", "3×10⁻⁴"]
    panel.set_ylim(150, 700)
    assert panel.yaxis.get_minor_formatter().format_ticks([200, 620]) == ["200", "620"]


def test_long_names_are_folded_and_the_longest_lose_their_middle() -> None:
    assert style.name("range_m") == "range_m"
    assert style.name("distance of the landing") == "distance of the\nlanding"
    sixty = "a_name_" * 9
    assert style.name(sixty).replace("\n", "") == sixty
    assert max(map(len, style.name(sixty).split("\n"))) == 18
    assert style.name("x" * 150 + "end").replace("\n", "") == "x" * 48 + " … " + "x" * 21 + "end"


def circles(figure: Figure) -> int:
    """Units of a drawing; each is drawn as a white disc and a coloured one."""
    found = [artist for artist in figure.axes[0].collections if isinstance(artist, PatchCollection)]
    return sum(len(artist.get_paths()) for artist in found) // 2


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


def test_drawing_of_the_assignments_example() -> None:
    figure = network.drawing(Architecture.plain((5, 3), "relu", 1), 1)
    assert circles(figure) == 1 + 5 + 3 + 1
    assert texts(figure) == ["input", "dense 5\nrelu", "dense 3\nrelu", "output\ndense 1"]


def test_drawing_of_branches() -> None:
    figure = network.drawing(Architecture.parse("(dense 1 | relu > dense 1 | relu > relu > dense 1) > dense 1"), 1)
    assert circles(figure) == 1 + 1 + 2 + 3 + 1 + 1
    assert texts(figure).count("relu") == 3
    assert texts(figure).count("+") == 1


def test_drawing_of_nested_branches() -> None:
    """A circle for every unit but those that skip, which are lines; wide columns are shortened, dropout is a label."""
    text = "dense 9 > relu > dropout 0.2 > (skip & dense 3 > (tanh | dense 3) > relu) > dropout 0.5 > dense 1"
    figure = network.drawing(Architecture.parse(text), 2)
    assert circles(figure) == 2 + 3 + (3 + 3 + 3 + 3 + 3) + 3 + 3 + 1
    labels = ["input", "dense 9\nrelu\ndropout 0.2", "concat", "skip", "dense 3", "sum", "tanh", "dense 3", "relu"]
    assert [text for text in texts(figure) if text != "+"] == [*labels, "dropout 0.5", "output\ndense 1"]
    assert texts(figure).count("+") == 3


@settings(max_examples=20, deadline=None)
@given(graphs(OR_DROPOUT, 3, 2))
def test_columns_of_any_graph_do_not_lie_on_each_other_and_lines_have_ends(architecture: Architecture) -> None:
    found = columns.plan(architecture, 3)
    places = [(column.x, y) for column in found.columns for y in column.y.round(6)]
    assert len(set(places)) == len(places)
    entered = {id(target) for _, target, _ in found.edges}
    assert all(id(column) in entered for column in found.columns[1:])
    network.drawing(architecture, 3)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(1, 300), min_size=1, max_size=4), st.integers(1, 20), st.integers(1, 20))
def test_drawings_shorten_wide_layers_alone(sizes: list[int], n_features: int, n_outputs: int) -> None:
    figure = network.drawing(Architecture.plain(sizes, "tanh", n_outputs), n_features)
    most = columns.MOST_UNITS
    assert circles(figure) == sum(n if n <= most else most - 1 for n in (n_features, *sizes, n_outputs))


def test_a_heat_map_shows_every_median_once() -> None:
    """A panel a depth, a column a width, a row an activation; what diverged is said in words."""
    table = grid_of(activation=["relu", "tanh"], depth=[1, 2], width=[5, 10, 25])
    table.loc[4, "test_error_median"] = np.inf
    figure = heatmap.heat_map(table, ["depth", "width"])
    panels = [panel for panel in figure.axes if panel.images]
    assert [panel.get_title() for panel in panels] == ["hidden layers: 1", "hidden layers: 2"]
    assert [label.get_text() for label in panels[1].get_xticklabels()] == ["5", "10", "25"]
    assert [label.get_text() for label in panels[0].get_yticklabels()] == ["relu", "tanh"]
    shown = [[text.get_text() for text in panel.texts] for panel in panels]
    assert shown[0] == ["1.0e+00", "2.0e+00", "3.0e+00", "7.0e+00", "8.0e+00", "9.0e+00"]
    assert shown[1] == ["4.0e+00", "diverged", "6.0e+00", "1.0e+01", "1.1e+01", "1.2e+01"]
    values = panels[1].images[0].get_array()
    assert values[1, 0] == pytest.approx(1) and np.ma.getmaskarray(np.ma.masked_invalid(values))[0, 1]


def test_a_heat_map_of_one_width_and_of_nothing_finite() -> None:
    table = grid_of(activation=["relu", "tanh"], depth=[2], width=[100])
    [panel] = [panel for panel in heatmap.heat_map(table, []).axes if panel.images]
    assert [text.get_text() for text in panel.texts] == ["1.0e+00", "2.0e+00"]
    style.svg(heatmap.heat_map(table.assign(test_error_median=np.inf), []))


def test_the_caption_of_a_drawing_names_the_colours_that_are_in_it() -> None:
    branched = Architecture.parse("(dense 3 > linear | tanh > dense 3) > relu > dense 1")
    assert colours(branched) == "Colours are activations: blue relu, orange tanh, white linear."
    assert colours(Architecture.parse("dense 2")) == "Colours are activations: white linear."


@pytest.mark.parametrize("draw", [residuals.predicted, residuals.residuals])
@pytest.mark.parametrize("n_targets", [1, 3, 9])
def test_predictions_of_any_number_of_targets_and_rows_are_bounded(
    draw: Callable[[np.ndarray, np.ndarray, list[str]], Figure], n_targets: int
) -> None:
    y = np.random.default_rng(0).normal(size=(7000, n_targets))
    figure = draw(y, y + 1, [f"t{k}" for k in range(n_targets)])
    panels = [axes for axes in figure.axes if axes.get_visible()]
    assert [axes.get_title() for axes in panels] == [f"t{k}" for k in range(min(n_targets, 4))]
    points = [line.get_xydata() for axes in panels for line in axes.lines if line.get_marker() == "o"]
    assert 1900 < sum(len(np.asarray(drawn)) for drawn in points) <= 2000
