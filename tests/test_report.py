"""The report of small studies: every sweep has its section, tables hold the numbers, nothing comes from outside."""

from __future__ import annotations

import html
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from shoal.kernels.network.architecture import Architecture
from shoal.pipeline import data, store
from shoal.pipeline.paths import Paths
from shoal.pipeline.provenance.freshness import MixedError, refuse_mixture
from shoal.pipeline.report import figures, sections
from shoal.pipeline.report.claims.limits import linear
from shoal.pipeline.report.document.html import inline
from shoal.pipeline.report.result_tables import number
from shoal.pipeline.stages import data as data_stage
from shoal.pipeline.stages import gradcheck, report
from tests import studies
from tests.pdf import Pdf

MADE_UP: dict[str, Any] = {
    "zoo": {"activation": ["sigmoid", "relu"], "depth": 1, "width": [2, 3], "learning_rate": 0.1, "epochs": 3}
    | {"optimizer": "adam"},
    "wild": {"activation": "relu", "depth": 2, "width": 4, "learning_rate": [0.01, 1e12], "steps": 9, "replicates": 2},
    "own": {"architecture": studies.BRANCHES["architecture"], "learning_rate": 0.02, "steps": 5, "replicates": 2},
    "frozen": studies.RIDGE,
}
START: dict[str, Any] = {
    "start": {"activation": ["relu", "linear"], "depth": 2, "width": 100, "learning_rate": 0.01, "steps": 1}
    | {"init": "assignment-stream"}
}


WORDS = r"the assignment|The assignment|author|2[a-k] ·|3\.1, 3\.2|\(2b\)|2[a-k] \(sweep"
"""Words of the assignment."""
OWN = ["Summary", "Test set", "Data", "A network of the study", "Gradient check", "How to reproduce this"]
"""What the report of a study of one's own has beside the sections of its sweeps."""


def reported(root: Path, sweeps: dict[str, Any], **keys: Any) -> Paths:
    paths = studies.complete(root, sweeps, **keys)
    gradcheck.run(paths)
    report.run(paths)
    return paths


def worded(root: Path, sweeps: dict[str, Any], **keys: Any) -> Paths:
    """The same for the words alone."""
    paths = studies.complete(root, sweeps, **keys)
    studies.without_gradcheck(paths)
    studies.report_undrawn(paths)
    return paths


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    """One feature and one target, a function; a sweep of each kind, one with diverging networks."""
    return reported(tmp_path_factory.mktemp("function"), MADE_UP)


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    """The assignment's own networks, hardly trained."""
    return reported(tmp_path_factory.mktemp("start"), START, report={"parts": {"start": "7x, 7y"}})


def page(paths: Paths) -> str:
    return paths.report.read_text(encoding="utf-8")


def document(paths: Paths) -> Pdf:
    return Pdf(paths.report_pdf.read_bytes())


def section(paths: Paths, title: str) -> str:
    found = re.search(f'<section id="{title}">.*?</section>', page(paths), re.DOTALL)
    assert found
    return found.group()


def outputs(paths: Paths) -> dict[str, bytes]:
    return studies.files(paths.root / "report") | studies.files(paths.root / "docs")


def test_a_second_run_writes_the_same_bytes(start: Paths) -> None:
    first = outputs(start)
    report.run(start)
    assert outputs(start) == first


def test_the_figures_of_all_sections_are_known_before_these(start: Paths) -> None:
    """That they are the same objects is what lets them be drawn meanwhile, and once."""
    found = report.load(start)
    assert figures(found) == [plot for section in sections(found) for plot in section.plots]


def test_a_process_of_another_folder_and_hash_seed_writes_the_same_bytes(study: Paths, tmp_path: Path) -> None:
    shutil.copytree(study.root, tmp_path / "study", ignore=shutil.ignore_patterns("report", "docs", ".shoal"))
    (tmp_path / "temporary").mkdir()
    environment = os.environ | {"PYTHONHASHSEED": "1", "TMPDIR": str(tmp_path / "temporary"), "TZ": "UTC-1"}
    command = [sys.executable, "-m", "shoal.pipeline.stages.report"]  # tests run with a hash seed drawn at random
    subprocess.run(command, cwd=tmp_path / "study", env=environment, check=True)
    assert outputs(Paths(tmp_path / "study")) == outputs(study)


def test_both_forms_have_the_same_sections(study: Paths) -> None:
    titles = re.findall(r"<h2>(.*?)</h2>", page(study))
    assert [f"Sweep {name}" for name in MADE_UP] == [title for title in titles if title.startswith("Sweep ")]
    found = document(study)
    assert found.titles[: found.titles.index("Appendix")] == [
        *titles,
        *(f"Sweep {name}" for name in MADE_UP),
        "Gradient check",
        "How to reproduce this",
    ]
    assert 5 < len(found.pages) < 50
    for caption in re.findall(r"<figcaption>(.*?)</figcaption>", page(study)):
        assert "".join(html.unescape(caption).split()) in found.text


def test_every_sweep_has_its_figures(study: Paths) -> None:
    found = {path.relative_to(study.figures).as_posix() for path in study.figures.rglob("*.svg")}
    assert found == {
        "example_network.svg",
        *(f"zoo/{name}.svg" for name in ("test_mse", "fits", "learning_curves", "heat_map")),
        *(f"wild/{name}.svg" for name in ("test_mse", "fits", "learning_curves", "heat_map")),
        *(f"own/{name}.svg" for name in ("test_mse", "fits", "learning_curves", "input_gradient")),
        *(f"own/network_{name}.svg" for name in studies.BRANCHES["architecture"]),
        *(f"frozen/{name}.svg" for name in ("test_mse", "fits", "heat_map")),
    }
    assert {path.with_suffix(".png").exists() for path in study.figures.rglob("*.svg")} == {True}


class Reader(HTMLParser):
    """Collects what would be fetched or run, and every id."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("src", "href", "xlink:href", "data", "action") and not (value or "").startswith("#"):
                self.loads.append(f"{tag} {name}={value}")
            if name == "id":
                self.ids.append(value or "")
        if tag in ("script", "iframe", "object", "embed", "link"):
            self.loads.append(tag)


def test_the_page_fetches_and_runs_nothing(study: Paths) -> None:
    reader = Reader()
    reader.feed(page(study))
    assert reader.loads == []
    assert len(reader.ids) == len(set(reader.ids))
    drawn = [path for path in study.figures.rglob("*.svg") if path.stem != "heat_map"]  # those are for MLflow
    assert page(study).count("<figure ") == len(drawn)
    assert "http" not in page(study)
    assert "@import" not in page(study)


def test_tables_hold_the_numbers(study: Paths) -> None:
    cells = store.read_table(study.cells)
    markdown = (study.root / "docs" / "results.md").read_text(encoding="utf-8")
    for _, cell in cells[np.isfinite(cells["test_error_median"])].iterrows():
        assert number(cell["test_error_median"]) in section(study, f"Sweep-{cell['sweep']}")
        assert number(cell["test_error_median"]) in markdown


def test_a_section_says_how_its_networks_were_fitted(study: Paths) -> None:
    how = {"zoo": "trained by Adam on half_mse", "wild": "trained by gradient descent on half_mse"}
    how |= {"own": how["wild"], "frozen": "the output layer fitted by ridge regression"}
    for name, words in how.items():
        assert words in section(study, f"Sweep-{name}")


def test_one_feature_along_the_columns_another_down_the_rows(tmp_path: Path) -> None:
    paths = worded(tmp_path, {"sizes": studies.SIZES | {"replicates": 1}})
    cells = store.read_table(paths.cells).set_index("cell")["test_error_median"]
    lines = (tmp_path / "docs" / "results.md").read_text(encoding="utf-8").splitlines()
    assert "| activation | hidden layers ↓ nodes per layer → | 3 | 5 |" in lines
    row = " | ".join(["tanh", "2", number(cells["tanh-d2-w003"]), number(cells["tanh-d2-w005"])])
    assert f"| {row} |" in lines


def test_divergence_is_shown(study: Paths) -> None:
    text = section(study, "Sweep-wild")
    assert "2 of 4 networks diverged" in text
    assert "<td>diverged<br>" in text
    assert not re.search(r"\b(inf|nan)\b", re.sub(r"<svg.*?</svg>", "", text, flags=re.DOTALL))


def test_a_sweep_that_diverges_as_a_whole_has_its_section(tmp_path: Path) -> None:
    boom = MADE_UP["wild"] | {"learning_rate": [1e11, 1e12]}
    paths = reported(tmp_path, {"zoo": MADE_UP["zoo"], "boom": boom})
    assert "4 of 4 networks diverged" in section(paths, "Sweep-boom")
    assert {path.stem for path in (paths.figures / "boom").iterdir()} == {"test_mse", "learning_curves", "heat_map"}


def test_several_features_and_targets(tmp_path: Path) -> None:
    paths = reported(tmp_path, {"own": MADE_UP["own"], "frozen": studies.RIDGE}, source="file")
    assert {path.stem for path in (paths.figures / "own").iterdir()} == {
        *(f"network_{name}" for name in studies.BRANCHES["architecture"]),
        *("test_mse", "predictions", "learning_curves"),
    }
    assert "dC/dspeed_m_s" in section(paths, "Sweep-own")
    assert "range_m, height_m" in section(paths, "Data")
    first = re.search("<p>(.*?)</p>", section(paths, "Summary"), re.DOTALL)
    assert first and "Predicted is range_m and height_m, each in the unit of its column, from " in first[1]
    assert "Effect of each hyper-parameter" in section(paths, "Sweep-own")


def test_one_feature_of_a_table_is_drawn_over_the_test_samples(tmp_path: Path) -> None:
    keys = {"source": "file", "features": ["speed_m_s"], "targets": ["range_m"]}
    paths = reported(tmp_path, {"own": MADE_UP["own"]}, **keys)
    assert {path.stem for path in (paths.figures / "own").iterdir()} >= {"fits", "input_gradient"}


def test_names_of_columns_are_shown_as_they_are(tmp_path: Path) -> None:
    names = ["$x$ #1 _a_", "<b>&amp; *y* @z", "long_" * 30]
    (tmp_path / "input").mkdir()
    values = np.linspace([0, 0, 0], [1, 2, 3], 50)
    pd.DataFrame(values, columns=names).to_csv(tmp_path / "input" / "odd.csv", index=False)
    keys = {"source": "file", "path": "input/odd.csv", "features": names[:1], "targets": names[1:]}
    paths = reported(tmp_path, {"own": MADE_UP["own"]}, **keys)
    for name in names:
        assert html.escape(name) in section(paths, "Data")
        assert "".join(name.split()) in document(paths).text


def test_the_assignments_networks_stand_beside_the_printed_numbers(start: Paths) -> None:
    runs = store.read_table(start.runs("start")).set_index("activation")["train_cost"]
    text = section(start, "Sweep-start")
    row = r"<th>{}</th>\s*<td>{:.10f}</td>\s*<td>{}</td>\s*<td>{}</td>"
    assert re.search(row.format("relu", runs["relu"], "0.0004086665", "0.00074328"), text)
    assert re.search(row.format("linear", runs["linear"], "0.0967346964", "0.12079632"), text)
    assert "cannot be below 0.0967347" in text
    assert "linear network has 0.12079632, 25 % above the least cost of a straight line." in text
    assert "so the costs need not agree" in text


def test_the_assignments_words_and_numbers_are_in_its_own_study_alone(
    study: Paths, start: Paths, tmp_path: Path
) -> None:
    """Not in one whose sweeps have the same names, over the same function or over a table."""
    titles = re.findall("<h2>(.*?)</h2>", page(start))
    assert titles[:3] == ["Summary", "2a · A small network", "Notation"]
    assert [title[:2] for title in titles[3:8]] == ["2b", "2c", "2d", "2e", "2f"]
    assert titles[-3:] == ["Gradient check", "Test set", "How to reproduce this"]
    own = {"base": studies.RIDGE, "ridge": studies.RIDGE, "branches": MADE_UP["own"]}
    for paths in (study, worded(tmp_path, own, source="file")):
        words = re.sub(r"<svg.*?</svg>", "", page(paths), flags=re.DOTALL) + "".join(document(paths).titles)
        words += (paths.docs / "results.md").read_text(encoding="utf-8")
        assert not re.search(WORDS, words)
        titles = re.findall("<h2>(.*?)</h2>", page(paths))
        assert [title for title in titles if not title.startswith("Sweep ")] == OWN


def test_a_study_that_says_nothing_of_parts_has_nobody_elses_numbers(tmp_path: Path) -> None:
    """Not even where its networks start from the assignment's own; and it has its own title."""
    title = "Ä study: $x$ & <y> #z, $100"
    paths = worded(tmp_path, START, report={"title": title})
    said = re.sub(r"<svg.*?</svg>", "", page(paths) + (paths.docs / "results.md").read_text("utf-8"), flags=re.DOTALL)
    assert not re.search(f"{WORDS}|0.00074328|0.0004086665|independent NumPy", said)
    assert f"<title>{html.escape(title)}</title>" in said
    assert f"<h1>{html.escape(title)}</h1>" in said
    assert "".join(title.split()) in document(paths).text
    assert "shoal: results" not in said
    store.write_json(paths.params, store.read_json(paths.params) | {"report": {"title": "Another"}})
    refuse_mixture(paths)
    data_stage.run(paths)
    with pytest.raises(MixedError, match=r"^data/study\.json: found changes after the evaluation or the report"):
        refuse_mixture(paths)


def test_a_part_stands_before_the_name_of_its_sweep(start: Paths) -> None:
    assert "<h2>7x, 7y · Sweep start</h2>" in page(start)
    assert "7x, 7y (sweep start): " in section(start, "Summary")
    assert "7x,7y·Sweepstart" in document(start).text


def test_a_study_of_ridge_readouts_alone_with_one_cell_and_one_replicate(tmp_path: Path) -> None:
    paths = worded(tmp_path, {"ridge": studies.RIDGE | {"activation": "tanh", "replicates": 1}})
    median = number(store.read_table(paths.cells)["test_error_median"].iloc[0])
    assert f"Sweep ridge: Its one cell, tanh-d2-w004, has a median test mse of {median}." in page(paths)
    assert "'Beats' means" not in page(paths)
    assert "the output layer fitted by ridge regression" in page(paths)
    assert "branches" not in section(paths, "Sweep-ridge")


def test_it_says_what_it_was_made_from_and_whether_the_networks_are_those(tmp_path: Path) -> None:
    paths = worded(tmp_path, {"frozen": studies.RIDGE})
    text = section(paths, "How-to-reproduce-this")
    assert store.file_hash(paths.runs("frozen")) in text
    assert store.read_json(paths.data / "data.json")["data_hash"][:16] in text
    assert "The identities of all 4 networks" in text
    params = store.read_json(paths.params)
    store.write_json(paths.params, params | {"seed": params["seed"] + 1})
    studies.report_undrawn(paths)
    assert "The networks of frozen have other identities" in section(paths, "How-to-reproduce-this")


def test_input_gradients_agree_with_central_differences(study: Paths) -> None:
    rows = re.findall(r"<th>(scalar|hidden)</th>\s*<td>250</td>\s*<td>(.*?)</td>\s*<td>(.*?)</td>", page(study))
    assert [name for name, _, _ in rows] == ["scalar", "hidden"]
    for _, largest, difference in rows:
        assert float(difference) < 1e-6 * max(float(largest), 1.0)


@pytest.mark.parametrize(
    ("text", "functions", "cost"),
    [
        ("dense 100 > linear > dense 1", ("x",), 0.0967346963549225),
        ("(dense 1 | relu > dense 1 | relu > relu > dense 1) > dense 1", ("x", "relu(x)"), 0.0967216),
        ("(dense 3 > linear > dense 2 | dense 2) > dense 1", ("x",), 0.0967346963549225),
        ("(skip & relu > linear) > dropout 0.1 > dense 1", ("x", "relu(x)"), 0.0967216),
        ("((dense 1 | relu > dense 1) & dense 2) > (skip | dense 3) > dense 1", ("x", "relu(x)"), 0.0967216),
    ],
)
def test_floors_of_networks_linear_in_known_functions(
    start: Paths, text: str, functions: tuple[str, ...], cost: float
) -> None:
    found = linear.floor(Architecture.parse(text), data.load(start))
    assert found is not None
    assert found.functions == functions
    assert found.cost == pytest.approx(cost, rel=1e-12 if len(functions) == 1 else 1e-6)


@pytest.mark.parametrize(
    "text", ["dense 5 > relu > dense 1", "(dense 1 | dense 1 > relu) > dense 1", "(skip | relu) > dense 1"]
)
def test_other_networks_have_no_known_floor(start: Paths, text: str) -> None:
    assert linear.floor(Architecture.parse(text), data.load(start)) is None


def test_inline_svg_keeps_its_references() -> None:
    svg = (
        '<?xml?><svg xmlns="u"><metadata>date</metadata><path id="m"/><use xlink:href="#m" clip-path="url(#p)"/></svg>'
    )
    assert inline(svg, "f1") == ('<svg><path id="f1-m"/><use xlink:href="#f1-m" clip-path="url(#f1-p)"/></svg>')


def test_numbers() -> None:
    assert [number(value) for value in (0.0004087, 1234.5, np.inf, 0.0, np.nan)] == [
        "4.09e-4",
        "1234",
        "diverged",
        "0",
        "-",
    ]
