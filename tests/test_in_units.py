"""How well a study of a table predicts, in its own units: measures, tests over rows, sentences, and where they are."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from shoal.pipeline import baselines, data, store
from shoal.pipeline.config.data_block import Splits
from shoal.pipeline.numbers import number
from shoal.pipeline.report import evidence, figures, results_page
from shoal.pipeline.report import sections as pages
from shoal.pipeline.report.claims.in_units import comparisons, units_blocks, verdict
from shoal.pipeline.report.document.blocks import Folded, Table
from shoal.pipeline.report.study import CHOSEN, Study
from shoal.pipeline.report.summary import about
from shoal.pipeline.stages import report
from shoal.pipeline.statistics.measures import by_target
from shoal.pipeline.statistics.rows import MOST_EXACT, compare_rows, p_of_many
from shoal.pipeline.statistics.signed_ranks import p_value
from shoal.pipeline.tasks import REGRESSION
from shoal.pipeline.terminal.show import show
from tests import studies
from tests.test_baselines import made_up

RNG = np.random.default_rng(4)
NOISE = RNG.normal(size=(40, 1))


def study(*errors: dict[str, np.ndarray], n_rows: int = 40) -> Study:
    """What the sentences read of a study: a dict a target with the errors of each model on the test rows."""
    dataset = made_up(len(errors))
    y = np.zeros((n_rows, len(errors)))
    dataset.test.__dict__.update(x=np.zeros((n_rows, 3)), y=y)
    y_hats = {
        name: {
            "train": dataset.train.y,
            "validation": dataset.validation.y,
            "test": np.hstack([target[name][:n_rows] for target in errors]),
        }
        for name in (CHOSEN, "constant", "ridge")
    }
    found: Any = SimpleNamespace(dataset=dataset, task=REGRESSION, y_hats=y_hats, baselines=object(), answering=CHOSEN)
    return cast(Study, found)


def sized(chosen: float, constant: float, ridge: float) -> dict[str, np.ndarray]:
    """Errors of these sizes, which change their order from row to row where sizes are close."""
    return {CHOSEN: chosen * NOISE, "constant": constant * np.abs(NOISE[::-1]), "ridge": ridge * np.roll(NOISE, 7, 0)}


# ---- measures and tests


def test_measures_of_a_target() -> None:
    y_hat, y = np.array([[1.0], [2.0], [6.0]]), np.array([[1.0], [4.0], [4.0]])
    measured = {measure.name: measure.measure(y_hat, y) for measure in REGRESSION.in_units.measures}
    assert measured == {"RMSE": pytest.approx((8 / 3) ** 0.5), "MAE": pytest.approx(4 / 3), "R²": pytest.approx(-1 / 3)}
    assert np.isnan(REGRESSION.in_units.measures[2].measure(y_hat, np.ones((3, 1))))


def test_the_headline_is_made_of_the_error_of_the_task_and_that_of_the_rows() -> None:
    y_hat, y, units = RNG.normal(size=(9, 1)), RNG.normal(size=(9, 1)), REGRESSION.in_units
    headline = units.headline.measure(y_hat, y)
    assert units.headline_of(units.of_rows(y_hat, y).mean()) == pytest.approx(headline, rel=1e-14)
    assert units.headline_of(REGRESSION.error.measure(y_hat, y, np.ones(1))) == pytest.approx(headline, rel=1e-14)


def test_baselines_that_a_task_names_are_there() -> None:
    assert [baseline.name for baseline in baselines.of_task(REGRESSION)] == ["constant", "ridge"]


@pytest.mark.parametrize(
    ("splits", "said"),
    [
        (None, ""),
        (Splits(kind="ordered"), ", in their order"),
        (Splits(kind="ordered", column="day"), ", in the order of day"),
        (Splits(kind="group", column="site"), ", where rows of one site stay together"),
    ],
)
def test_the_first_sentence_says_how_rows_are_split(splits: Splits | None, said: str) -> None:
    rows = {name: SimpleNamespace(x=np.zeros((10, 1))) for name in ("train", "validation", "test")}
    names: Any = {"feature_names": ["a"], "target_names": ["y"], "classes": (), "calibration": None, "folds": ()}
    settings = SimpleNamespace(is_table=True, path="t.csv", splits=splits)
    dataset = SimpleNamespace(is_tested=True, **rows, **names)
    found: Any = SimpleNamespace(config=SimpleNamespace(data=settings), dataset=dataset)
    assert about(found) == [
        f"t.csv: 30 rows, of which 10 to train on, 10 to choose by and 10 to test on{said}. Predicted is y, in the "
        "unit of its column, from 1 feature."
    ]


@pytest.mark.parametrize("n", [60, MOST_EXACT])
def test_the_normal_law_of_many_rows_agrees_with_counting_all_signs(n: int) -> None:
    for shift in (0.0, 0.2, 0.4):
        d = np.round(RNG.normal(shift, 1, n), 1)  # some of which are 0, some equal
        assert p_of_many(d) == pytest.approx(p_value(d), rel=0.1, abs=1e-3)
        assert p_of_many(-d) == p_of_many(d)
    assert p_of_many(np.zeros(n)) == 1


def test_rows_are_compared_one_by_one_however_many_they_are() -> None:
    a = np.abs(RNG.normal(size=5000))
    found = compare_rows(a, a + 0.01)
    assert (found.n_rows, found.a_smaller, found.b_smaller, found.favours_a) == (5000, 5000, 0, True)
    assert found.p < 1e-100
    assert not compare_rows(a + 0.01, a).favours_a


# ---- sentences


def test_who_beats_whom_in_the_unit_of_the_target() -> None:
    [text] = verdict(study(sized(1.0, 10.0, 20.0)))
    rmse = number(float(np.sqrt((NOISE**2).mean())))
    assert text.startswith(
        f"The chosen network predicts u to within {rmse} (RMSE on the 40 test rows, in the unit of u);"
    )
    assert "; the constant's is " in text and ", ridge's " in text
    assert text.count("nearer in") == 2
    assert ". It beats both the constant (nearer in " in text and "p below 0.0001) and ridge (" in text


def test_it_says_so_where_the_network_loses() -> None:
    [text] = verdict(study(sized(10.0, 1.0, 30.0)))
    assert ". It beats ridge (nearer in " in text and "; it loses to the constant (nearer in " in text
    [text] = verdict(study(sized(10.0, 1.0, 1.0)))
    assert "It loses to both the constant (" in text


def test_it_claims_nothing_where_neither_is_shown_to_be_better() -> None:
    [text] = verdict(study(sized(1.0, 1.0, 1.0)))
    assert "It is not shown to beat either the constant (nearer in " in text and " or ridge (" in text
    assert "beats" not in text and "loses" not in text


def test_a_test_that_contradicts_the_size_of_the_error_shows_nothing() -> None:
    """Nearer in all rows but one, in which the network is far off: its RMSE is larger."""
    errors = sized(1.0, 10.0, 20.0)
    far = np.where(np.arange(40) == 3, 1000.0, 0.01)[:, np.newaxis]
    against = comparisons(study(errors | {CHOSEN: far}))
    assert {one.verdict for one in against} == {"is not shown to beat"}
    assert all(one.p < 0.05 and one.rows.favours_a for one in against)


def test_few_rows_show_nothing() -> None:
    [text] = verdict(study(sized(1.0, 100.0, 100.0), n_rows=9))
    assert "on the 9 test rows" in text
    assert text.endswith(" Whether it beats them cannot be shown with fewer than 10 test rows.")


def test_several_targets_are_told_apart() -> None:
    [text] = verdict(study(sized(1.0, 10.0, 20.0), sized(1.0, 10.0, 0.01)))
    assert "predicts u to within " in text and "It predicts v to within " in text and "(in the unit of v)" in text
    assert text.endswith("It beats the constant for both targets; it beats ridge for u; it loses to ridge for v.")
    [text] = verdict(study(*[sized(1.0, 10.0, 20.0)] * 3))
    assert text.endswith("It beats the constant and ridge for every target.")


def test_nothing_is_said_where_nothing_was_chosen_or_no_baselines_are_shown() -> None:
    for change in ({"y_hats": {}}, {"baselines": None}):
        other = study(sized(1.0, 10.0, 20.0))
        other.__dict__.update(change)
        assert verdict(other) == units_blocks(other) == []


def test_the_table_has_a_row_a_target_and_model() -> None:
    text, table = units_blocks(study(sized(1.0, 10.0, 20.0), sized(1.0, 10.0, 0.01)))
    assert isinstance(text, str) and "5 %, p after Holm over 4 comparisons" in text
    assert not isinstance(table, str | Folded)
    rows = cast(Any, table).rows
    assert [row[:2] for row in rows] == [[t, name] for t in "uv" for name in (CHOSEN, "constant", "ridge")]
    assert [row[-1] for row in rows] == ["-", "beats", "beats", "-", "beats", "loses to"]


# ---- a study


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> studies.Paths:
    """A table of two features and two targets; three cells."""
    sweep = studies.RIDGE | {"activation": "relu", "width": [4, 8, 40], "replicates": 3}
    paths = studies.complete(tmp_path_factory.mktemp("table"), {"frozen": sweep}, source="file")
    studies.without_gradcheck(paths)
    return paths


def test_the_report_of_a_table_stands_in_its_units(shown: studies.Paths) -> None:
    dataset, chosen = data.load(shown), store.read_json(shown.chosen)
    network = store.load_chosen(shown, chosen)
    measured = by_target(dataset, lambda split: network.predict(getattr(dataset, split).x)).set_index("target")
    whole = report.load(shown)
    markdown, sections = results_page(whole), {section.title: section for section in pages(whole)}
    summary = " ".join(block for block in sections["Summary"].blocks if isinstance(block, str))
    models = store.read_table(shown.baselines).set_index(["baseline", "target"])
    for target in dataset.target_names:
        rmse = number(measured.loc[target, "test_rmse"])
        beside = [number(models.loc[(name, target), "test_rmse"]) for name in ("constant", "ridge")]
        for text in (markdown, summary):
            assert f"predicts {target} to within {rmse} (" in text
            assert f"; the constant's is {beside[0]}, ridge's {beside[1]}." in text
        row = " | ".join(number(measured.loc[target, f"test_{name}"]) for name in ("rmse", "mae", "r2"))
        assert f"| {target} | chosen network | {row} |" in markdown
    assert markdown.count("; the constant has ") == 1
    assert "| - | - | - | constant: always the mean of the training rows | " in markdown
    assert [plot.path for plot in sections["Test set"].plots] == ["predicted", "residuals"]
    assert figures(whole) == [plot for section in sections.values() for plot in section.plots]


def test_show_has_the_best_cells_beside_the_baselines(shown: studies.Paths, capsys: pytest.CaptureFixture[str]) -> None:
    show(shown, ["frozen"])
    out = capsys.readouterr().out
    assert "; the constant has 0.678, ridge 0.155" in " ".join(out.split())
    assert "RMSE on 60 test rows, in the unit of each target: the 3 best of 3 cells by validation score" in out
    networks, models = store.read_table(shown.networks), store.read_table(shown.baselines)
    rows = [line.split() for line in out.splitlines()]
    for cell, part in networks.groupby("cell"):
        rmse = [number(float(np.sqrt(part[f"test_error_{name}"]).median())) for name in ("range_m", "height_m")]
        assert [f"frozen/{cell}", *rmse] in rows
    for name in ("constant", "ridge"):
        alone = models[(models["baseline"] == name) & models["target"].notna()]
        assert [name, *map(number, alone["test_rmse"])] in rows


def test_targets_with_line_breaks_in_their_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Tables have their names as they are, the report on one line."""
    (tmp_path / "input").mkdir()
    names = {"speed_m_s": "v", "range_m": "a\nb", "height_m": "| c [x] |"}
    studies.throws().rename(columns=names).to_csv(tmp_path / "input" / "odd.csv", index=False)
    keys = {"path": "input/odd.csv", "targets": ["a\nb", "| c [x] |"]}
    paths = studies.complete(tmp_path, {"frozen": studies.RIDGE}, source="file", **keys)
    studies.without_gradcheck(paths)
    by_target = [block for block in evidence.test_set(report.load(paths)).blocks if isinstance(block, Table)][1:]
    assert [row[0] for row in by_target[0].rows] == [r"a\nb", "| c [x] |"]
    assert [row[0] for row in by_target[1].rows] == [r"a\nb"] * 3 + ["| c [x] |"] * 3
    show(paths, ["frozen"])
    assert "| c [x] |" in capsys.readouterr().out


def test_a_study_of_the_function_has_baselines_in_its_file_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = studies.complete(tmp_path, {"frozen": studies.RIDGE})
    assert set(store.read_table(paths.baselines)["baseline"]) == {"constant", "ridge"}
    studies.without_gradcheck(paths)
    loaded = report.load(paths)
    assert loaded.baselines is None
    assert verdict(loaded) == []
    show(paths, ["frozen"])
    assert "constant" not in capsys.readouterr().out
