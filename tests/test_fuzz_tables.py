"""Fifty small tables, half of them damaged: see fuzz_tables.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz_tables import case, outcome


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_small_tables_end_in_a_result_or_a_few_lines(tmp_path: Path, seed: int) -> None:
    for i in range(5):
        (folder := tmp_path / str(i)).mkdir()
        outcome(case(5 * seed + i, 40, 12), folder)
