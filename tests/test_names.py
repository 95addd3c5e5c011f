"""A report follows its data: names of any letters and length, many rows, many panels."""

from __future__ import annotations

import html
import logging
import warnings
from itertools import product

import numpy as np
import pandas as pd
import pytest

from shoal.pipeline.figures import letters, style
from shoal.pipeline.paths import Paths
from shoal.pipeline.report.document.blocks import Section, Table
from shoal.pipeline.report.document.pdf import pdf
from shoal.pipeline.stages import data, evaluate, gradcheck, predict, report, sweep
from shoal.pipeline.statistics import axes
from tests import studies
from tests.pdf import Pdf

LONG = "a_name_of_more_than_sixty_letters_" * 2
NAMES = ["$a_1$ 100% #x", "<b>&amp; *z* \\back {br}", "line\nbreak", "列", "Ωмега", "e\u0301t", "`c` @r [x](y)", LONG]
TARGETS = ["目 $y$", LONG + "y", "z"]
ARCHITECTURE = "an_architecture_of_more_than_sixty_letters_" + "x" * 20
SWEEPS = {
    "a-sweep-of-more-than-sixty-letters-" + "y" * 30: {"architecture": {ARCHITECTURE: "(dense 2 > relu | dense 2)"}}
    | {"learning_rate": 0.01, "epochs": [1, 2]},
    "sizes": {"optimizer": "ridge", "alpha": [0.1 * n for n in range(1, 8)], "activation": "relu", "depth": 1}
    | {"width": [2, 3, 4, 5, 6]},
}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    """Names that no markup may read and no font may lack, and 20,000 rows to test on."""
    root = tmp_path_factory.mktemp("names")
    shares = {"train": 0.002, "validation": 0.002, "test": 0.996}
    keys = {"source": "file", "path": "input/t.parquet", "targets": TARGETS, "fractions": shares}
    paths = studies.write(root, SWEEPS, **keys)
    x = np.random.default_rng(0).normal(size=(20_080, len(NAMES)))
    table = pd.DataFrame(np.hstack([x, np.sin(x[:, :3])]), columns=[*NAMES, *TARGETS])
    table.to_parquet(root / "input" / "t.parquet")
    data.run(paths)
    for name in SWEEPS:
        sweep.run(paths, name)
    for stage in (gradcheck, evaluate, predict):
        stage.run(paths)
    return paths


def test_names_are_shown_literally_and_nothing_is_drawn_in_full(study: Paths, caplog: pytest.LogCaptureFixture) -> None:
    with warnings.catch_warnings(), caplog.at_level(logging.WARNING):
        warnings.simplefilter("error")
        report.run(study)
    assert not caplog.records
    page, text = study.report.read_text(encoding="utf-8"), Pdf(study.report_pdf.read_bytes()).text
    for name in [*NAMES, *TARGETS]:
        shown = name.replace("\n", "\\n")
        assert html.escape(shown) in page
        assert "".join(letters.shown(shown).split()) in text
    assert "\\u5217" in text
    for whole in (study.report, study.report_pdf):
        assert whole.stat().st_size < 3e6
    assert "2,000 of the 20,000 test samples are drawn, at even distances in their order." in page
    assert page.count("<use ") < 30_000


def test_panels_and_cells_that_are_left_out_are_counted() -> None:
    grid = product(map(float, range(1, 9)), map(float, range(1, 13)), (1.0, 2.0))
    cells = pd.DataFrame(grid, columns=["depth", "width", "learning_rate"])
    cells["error"] = "mse"
    cells["validation_error_median"] = np.arange(len(cells))[::-1]
    facets = axes.facets(cells, ["depth", "width", "learning_rate"])
    assert facets.note == (
        " 16 of 192 panels are shown: hidden layers at 4 of 8 levels and nodes per layer at 4 of 12 levels, the ends "
        "and others at even distances. Shown at learning rate 2, as in the cell with the smallest validation mse (96 "
        "of 192 cells)."
    )
    assert axes.facets(cells, ["learning_rate"]).note == ""


def test_a_letter_that_no_font_has_is_its_number() -> None:
    assert letters.shown("Ωж é 列\U0001f9ea") == "Ωж é \\u5217\\U0001f9ea"
    assert letters.shown("e\u0301") == "é"
    assert letters.printable("a\tb\r\nc 列") == "a\\tb\\r\\nc 列"


def test_an_installed_font_is_fallen_back_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a font that comes with matplotlib in the place of one for Chinese."""
    assert letters.shown("\u1d81") == "\\u1d81"
    monkeypatch.setattr(letters, "FALLBACKS", ("No Such Font", "STIXGeneral"))
    letters.families.cache_clear()
    try:
        assert list(letters.families()) == ["DejaVu Sans", "STIXGeneral"]
        assert letters.shown("\u1d81") == "\u1d81"
        assert list(letters.needed("a é \u1d81")) == ["DejaVu Sans", "STIXGeneral"]
        assert "\u1d81" in Pdf(pdf("Title", [Section("One", [Table("", ["x"], [["\u1d81"]])])])).text
    finally:
        letters.families.cache_clear()


@pytest.mark.parametrize(("n", "drawn"), [(1, 1), (2000, 2000), (2001, 2000), (100_000, 2000)])
def test_points_are_thinned_evenly_with_both_ends(n: int, drawn: int) -> None:
    found = style.thinned(n)
    assert len(found) == drawn
    assert (found[0], found[-1]) == (0, n - 1)
    assert np.ptp(np.diff(found)) <= 1 if n > 1 else True
