"""Names of the columns that shoal adds to a table: never one that the table has already."""

from __future__ import annotations

from collections.abc import Collection, Sequence

ROW = "row"
"""The place of a row among the data rows of its file, from 1 (blank lines of a CSV file are no rows)."""
FLAG = "outside_training_range"
"""The features of a row that are outside the range of training."""
PREFIX = "shoal_"


def predicted(targets: Sequence[str]) -> list[str]:
    """<target>_predicted for each target."""
    return [f"{name}_predicted" for name in targets]


def free_prefix(names: Collection[str], taken: Collection[str]) -> str:
    """What to put before all of `names` so that none is among `taken`: nothing, or PREFIX as often as it takes."""
    prefix = ""
    while any(f"{prefix}{name}" in taken for name in names):
        prefix += PREFIX
    return prefix
