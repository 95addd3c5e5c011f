"""The benchmark of tracking runs on tables as the stages write them today."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.tracking import study
from shoal.pipeline.tracking import track
from tests.made_up import runs_of

pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:DeprecationWarning")


def test_made_up_study_is_tracked(tmp_path: Path) -> None:
    paths = study(tmp_path, 2)
    track(paths, ["made"])
    names = sorted(run.info.run_name.split()[0] for run in runs_of(paths, "made"))
    assert names == ["made", "relu-d1-w0000", "relu-d1-w0001"]
