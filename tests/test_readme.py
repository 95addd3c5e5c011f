"""`make readme`: the first table of the results goes between the two markers; nothing else of the README changes."""

from __future__ import annotations

import pytest

from shoal.pipeline.errors import ShoalError
from shoal.pipeline.terminal.readme import with_results

RESULTS = """\
## Results

| sweep | networks |
| --- | ---: |
| mine | 4 |

In words.

### mine

| activation | test mse |
| --- | ---: |
| relu | 1.00e-3 |
"""
README = """\
# shoal

| a | b |

<!-- results: begin -->
{}<!-- results: end -->

The end.
"""
TABLE = "| sweep | networks |\n| --- | ---: |\n| mine | 4 |\n"


def test_the_readme_gets_the_table_of_the_sweeps() -> None:
    assert with_results(README.format("| old |\n"), RESULTS) == README.format(TABLE)
    assert with_results(README.format(TABLE), RESULTS) == README.format(TABLE)


def test_markers_are_needed() -> None:
    """A README without them is refused rather than overwritten."""
    with pytest.raises(ShoalError, match="lacks the lines"):
        with_results("# shoal\n", "| a |\n")
