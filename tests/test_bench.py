"""The benchmark of tracking runs on tables as the stages write them today; that of accuracy says what it has."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import accuracy_page
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
    sizes = {"rows": 700, "features": 3, "fitted": 595, "test": 70}

    def split(shoal: float) -> dict[str, object]:
        errors = dict.fromkeys(accuracy_page.NAMES, 2.0) | {accuracy_page.SHOAL: shoal}
        return {"errors": errors, "seconds": dict.fromkeys(accuracy_page.NAMES, 1.5), **sizes}

    page = accuracy_page.render({"a": [split(1), split(4)], "b": [split(1)]}, 2, {"cores used": "2"})
    assert "| a | 700 | 3 | 595 | 35 | 70 | 2 | 2 | 1.000 (1 of 2) | 1.000 | 1.000 | 1.000 |" in page
    assert "| b | 700 | 3 | 595 | 35 | 70 | 1 | 2 | 0.500 (1 of 1) |" in page
    assert "Not all was run: b: 1 of 2 splits.\n" in page
