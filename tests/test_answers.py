"""Sentences about made-up results with known answers: they say what the tables hold, and change with them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest

from shoal.pipeline.report.assignment import author
from shoal.pipeline.report.claims import wording
from shoal.pipeline.report.claims.against_training import against_training, compared
from shoal.pipeline.report.claims.divergence import divergence_sentences, pass_sentences
from shoal.pipeline.report.claims.limits import piecewise, sentences
from shoal.pipeline.report.claims.trends import trend
from shoal.pipeline.report.document.blocks import Folded
from shoal.pipeline.report.results import SweepResults
from shoal.pipeline.statistics.axes import FULL_BATCH
from shoal.pipeline.store import A_BEATS_B, LATER_COLUMNS
from shoal.pipeline.tasks.regression import HALF_MSE, MSE, REGRESSION


class MadeUp(SimpleNamespace):
    """Attributes; the same as itself alone, as results are."""

    __eq__, __hash__ = object.__eq__, object.__hash__


def made_up(cells: pd.DataFrame, axes: list[str], **others: Any) -> SweepResults:
    """What the sentences read of a sweep, without any of the later hyper-parameters."""
    cells = cells.assign(**dict.fromkeys(name for name in LATER_COLUMNS if name not in cells))
    settings = SimpleNamespace(architecture=None, optimizer="gd", init="assignment")
    return cast(
        SweepResults,
        MadeUp(
            cells=cells,
            axes=axes,
            error=MSE,
            task=REGRESSION,
            costs=[HALF_MSE],
            **{"settings": settings, "name": "s", **others},
        ),
    )


def medians(rows: dict[str, list[float]]) -> SweepResults:
    """A sweep of widths 5, 10, 20 with these median errors for each activation."""
    cells = [
        {"series": name, "width": width, "error": "mse", "test_error_median": value}
        for name, values in rows.items()
        for width, value in zip((5.0, 10.0, 20.0), values, strict=True)
    ]
    return made_up(pd.DataFrame(cells), ["width"])


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ({"relu": [8, 4, 2]}, "falls (by a factor of 4)"),
        ({"relu": [8, 4, 2], "tanh": [9, 1, 1]}, "falls at both settings of activation (by a factor of 4 to 9)"),
        (
            {"relu": [8, 4, 2], "tanh": [1, 1, 3], "linear": [1, 1, 1.001]},
            "falls at 1 of 3 settings of activation (by a factor of 4), rises at 1 (by a factor of 3) and stays within "
            "1 % at 1",
        ),
        (
            {"relu": [8, 4, np.inf], "tanh": [np.inf, 1, 1]},
            "falls at 1 of 2 settings of activation and becomes infinite at 1",
        ),
    ],
)
def test_medians_from_end_to_end(rows: dict[str, list[float]], said: str) -> None:
    assert trend(medians(rows), "width") == f"From 5 to 20 nodes per layer the median test mse {said}."


def test_no_trend_of_names_of_two_levels_or_of_nothing_but_divergence() -> None:
    assert trend(medians({"relu": [8, 4, 2]}), "series") == ""
    assert trend(medians({"relu": [np.inf, np.inf, np.inf]}), "width") == ""
    three = medians({"relu": [8, 4, 2]})
    assert trend(made_up(three.cells.drop(index=1), ["width"]), "width") == ""


def rates(n_diverged: list[int], steps: list[float], test_mse: float = 0.1) -> SweepResults:
    """Two rates, each after 10 and 20 steps; the targets have variance 0.25, and a network for each of `steps`."""
    cells = pd.DataFrame(
        {"series": "relu", "learning_rate": [0.1, 0.1, 0.5, 0.5], "steps": [10.0, 20.0] * 2, "n_networks": 4}
    ).assign(n_diverged=n_diverged, cell=["a", "b", "c", "d"])
    networks = pd.DataFrame({"diverged_step": steps, "test_error": test_mse, "cell": "d", "status": "ok"})
    test = SimpleNamespace(y=np.array([[0.0], [1.0]]))
    dataset = SimpleNamespace(test=test, error_scale=np.ones(1), classes=None)
    return made_up(cells, ["learning_rate", "steps"], networks=networks, dataset=dataset)


def test_divergence_is_counted_once_for_networks_that_differ_in_steps() -> None:
    [text] = divergence_sentences(rates([0, 0, 1, 3], [7, 12, 15, np.nan]))
    assert text.startswith(
        "Costs ceased to be finite between steps 7 and 15. Diverged: 0 of 4 with learning rate 0.1 and 3 of 4 with "
        "learning rate 0.5."
    )
    assert divergence_sentences(rates([0, 0, 0, 0], [np.nan])) == []
    [useless] = divergence_sentences(rates([0, 0, 0, 0], [np.nan], 1e200))
    assert useless.startswith("1 of the 1 networks that did not diverge has a larger test mse than")
    [everywhere] = divergence_sentences(rates([4, 4, 4, 4], [3, 3]))
    assert everywhere.startswith("Costs ceased to be finite at step 3. Networks that differ")


def test_divergence_is_counted_apart_for_networks_that_keep_their_best_parameters() -> None:
    """They are trained apart, as what they keep depends on their last step."""
    (some := rates([0, 0, 1, 3], [7, 12, 15, np.nan])).cells["keep"] = ["last", "last", "best", "best"]
    [text] = divergence_sentences(some)
    assert "Diverged: 0 of 4 with learning rate 0.1 and 4 of 8 with learning rate 0.5. " in text
    assert text.endswith("are one network here, as in training, unless they keep their best parameters.")
    (every := rates([0, 0, 1, 3], [7, 12, 15, np.nan])).cells["keep"] = "best"
    [text] = divergence_sentences(every)
    assert text.endswith("Diverged: 0 of 8 with learning rate 0.1 and 4 of 8 with learning rate 0.5.")


def test_passes_over_the_data() -> None:
    cells = pd.DataFrame({"series": "relu", "batch_size": [1.0, 30.0, FULL_BATCH], "steps": 200.0})
    dataset = SimpleNamespace(n_train=100)
    [text] = pass_sentences(made_up(cells, ["batch_size"], dataset=dataset))
    assert text.startswith("All take 200 gradient steps. How many times each of the 100 training samples is seen: ")
    assert "2 with batch size 1, 50 with batch size 30 and 200 with the full batch" in text
    assert pass_sentences(made_up(cells, ["steps"], dataset=dataset)) == []


def readouts(level: float, optimizer: str, n: int = 12) -> SweepResults:
    """Cells of two architectures with n replicates, log10 errors around `level` and around -3."""
    noise = np.linspace(-0.1, 0.1, n)
    names = {"relu-d1-w005": (level, noise), "tanh-d1-w005": (-3.0, noise if optimizer == "gd" else -noise)}
    errors = pd.DataFrame({cell: start + shifts for cell, (start, shifts) in names.items()})
    networks = errors.rename_axis("replicate").reset_index().melt("replicate", var_name="cell", value_name="test_error")
    networks["test_error"] = 10.0 ** networks["test_error"]
    cells = pd.DataFrame({"cell": list(names), "series": ["relu", "tanh"], "architecture": ["a", "b"], "steps": 500.0})
    settings = SimpleNamespace(architecture=None, optimizer=optimizer, duration="steps")
    cells[["test_error_median", "n_diverged"]] = 1e-3, 0
    return made_up(cells, [], networks=networks, log10_errors=errors, settings=settings)


def test_ridge_against_training_at_equal_shape() -> None:
    ridge, trained = readouts(-5.0, "ridge"), readouts(-4.0, "gd")
    text, table = against_training(ridge, [ridge, trained])
    assert text == (
        "Against sweep s, trained for 500 steps, at equal shape (2 comparisons over 12 replicates): ridge regression "
        "beats gradient descent in 1 (relu), by a factor of 10; nothing is shown in 1."
    )
    assert isinstance(table, Folded)
    assert [row[-1] for row in table.table.rows] == ["ridge beats trained", "not shown"]
    pairs = ridge.cells.merge(trained.cells, on="architecture", suffixes=("_ridge", ""))
    assert compared(ridge, trained, pairs)["verdict"].iloc[0] == A_BEATS_B
    [other, _] = against_training(readouts(-3.0, "ridge"), [trained])
    assert "gradient descent beats ridge regression in 1 (relu), by a factor of 10" in str(other)


def test_no_claim_on_ridge_with_few_replicates_and_none_without_an_equal_shape() -> None:
    [text, _] = against_training(readouts(-9.0, "ridge", 5), [readouts(-4.0, "gd", 5)])
    assert "neither ridge regression nor gradient descent could have been shown" in str(text)
    trained = readouts(-4.0, "gd")
    trained.cells["architecture"] = ["c", "d"]
    assert against_training(readouts(-9.0, "ridge"), [trained]) == []
    assert against_training(trained, [trained]) == []


@pytest.mark.parametrize(("n_knots", "mse"), [(0, (1 - 6 / np.pi**2) / 2), (5, 5.41e-4), (10, 4.13e-5), (50, 1.0e-7)])
def test_least_mse_of_piecewise_linear_functions(n_knots: int, mse: float) -> None:
    assert piecewise.least_error(n_knots) == pytest.approx(mse, rel=1e-2)


def test_least_mse_falls_with_every_knot_as_its_law_says() -> None:
    """In the limit it is (integral of |sin|^(2/5))^5 / (2 pi 720 n^4) for n pieces."""
    found = [piecewise.least_error(n) for n in range(1, 30)]
    assert np.all(np.diff(found) < 0)
    assert found[-1] == pytest.approx(5.0117**5 / (2 * np.pi * 720 * 30**4), rel=0.06)


def test_the_gradient_in_the_knots() -> None:
    knots, step = np.array([-2.0, -1.0, 0.3, 1.5]), 1e-6
    _, gradient = piecewise.fit(knots)
    numerical = [
        (piecewise.fit(knots + step * e)[0] - piecewise.fit(knots - step * e)[0]) / (2 * step) for e in np.eye(4)
    ]
    np.testing.assert_allclose(gradient, numerical, rtol=1e-6)


def layer(test_mse: list[float], source: float = 0.0) -> SweepResults:
    """One hidden layer of 5 relu units: errors of its networks; the target is known on the grid, or NaN."""
    cells = pd.DataFrame(
        {"cell": ["c"], "series": ["relu"], "depth": [1], "width": [5.0], "test_error_median": [np.median(test_mse)]}
    )
    best = pd.DataFrame({"cell": "c", "error": "mse", "validation_error": test_mse, "test_error": test_mse}).set_index(
        "cell"
    )
    dataset = SimpleNamespace(grid=SimpleNamespace(y=np.array([[source]])))
    return made_up(cells, ["width"], best=best[np.isfinite(best["test_error"])], dataset=dataset)


def test_pieces_beside_what_was_reached() -> None:
    _, table = sentences.pieces_blocks(layer([0.0823, 0.2, 0.3]))
    assert not isinstance(table, str)
    assert table.rows == [["5", "5.41e-4", "8.23e-4", "0.200", "8.23e-2", "100"]]
    _, lost = sentences.pieces_blocks(layer([np.inf, np.inf]))
    assert not isinstance(lost, str)
    assert lost.rows[0][3:] == ["diverged", "diverged", "-"]
    assert sentences.pieces_blocks(layer([0.1], np.nan)) == []


def own_networks(costs: dict[str, float], rate: float = 0.02, part: str = "2g") -> SweepResults:
    """Replicate 0 of the assignment's networks with these costs."""
    cells = pd.DataFrame({"series": list(costs), "architecture": "dense 3 > relu > dense 1", "optimizer": "gd"})
    cells = cells.assign(learning_rate=rate, steps=500.0, batch_size=FULL_BATCH)
    networks = pd.DataFrame({"series": list(costs), "replicate": 0, "train_cost": list(costs.values())})
    settings = SimpleNamespace(init="assignment-stream", architecture=None, optimizer="gd")
    return made_up(cells, [], networks=networks, settings=settings, dataset=SimpleNamespace(n_outputs=1), part=part)


def test_the_author_and_the_reference() -> None:
    relu = author.REFERENCE["relu"]
    [text] = author.assignment_sentences(own_networks({"relu": relu * (1 + 1e-3)}))
    assert "up to a relative difference of 1e-3." in text
    assert "printed costs are larger than shoal's, by a factor of 1.82 (relu)." in text
    [worse] = author.assignment_sentences(own_networks({"relu": 1.0}))
    assert "printed" not in worse
    [other] = author.assignment_sentences(own_networks({"relu": relu}, rate=0.3))
    assert "so the costs need not agree" in other
    assert "relative difference" not in other
    (penalised := own_networks({"relu": relu})).cells["l2"] = 0.1
    assert author.assignment_sentences(penalised) == [other]


def test_a_sweep_that_answers_no_part_is_beside_nobodys_numbers() -> None:
    mine = own_networks({"relu": author.REFERENCE["relu"]}, part="")
    assert author.assignment_sentences(mine) == author.assignment_tables(mine) == []
    assert author.beside_author(mine) == ""


def test_words() -> None:
    assert wording.listed(["a"]) == "a"
    assert wording.listed(["a", "b", "c"]) == "a, b and c"
    assert wording.counted(1, "cell") == "1 cell"
    assert [wording.factor(value) for value in (1.0, 1.2345, 12345.0, 1.2345e210)] == [
        "1.00",
        "1.23",
        "12,300",
        "1.23e210",
    ]
    assert wording.level("depth", "1") == "1 hidden layer"
    assert wording.other_level("batch_size", "full") == "the full batch"
