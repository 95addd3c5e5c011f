"""The README shows the results that the report stage measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import ShoalError
from pipeline.readme import with_results

ROOT = Path(__file__).parent.parent


def test_readme_holds_the_measured_results() -> None:
    """`make readme` would change nothing."""
    readme, results = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "docs/results.md"))
    assert with_results(readme, results) == readme
    assert "| sizes | 480 |" in readme


def test_markers_are_needed() -> None:
    """A README without them is refused rather than overwritten."""
    with pytest.raises(ShoalError, match="lacks the lines"):
        with_results("# shoal\n", "| a |\n")
