"""Tables in the terminal: at any width numbers are whole, and names have all their letters."""

from __future__ import annotations

import io
import re
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from shoal.pipeline import store
from shoal.pipeline.numbers import number
from shoal.pipeline.paths import Paths
from shoal.pipeline.tasks.regression import MSE
from shoal.pipeline.terminal import show
from shoal.pipeline.terminal.tables import TextColumn, print_table
from tests import studies

NAME = "a-name-of-sixty-letters-that-nobody-would-type-twice-but-has-"
NUMBERS = {"median": 123456.0, "q1": 0.00012345, "q3": 1.5e-7, "low": 1e300, "high": np.inf, "diverged": 0.5}
RANKS = {"q1": 1, "q3": 1, "low": 2, "high": 2}


def printed(width: int, columns: list[TextColumn]) -> tuple[list[str], list[str]]:
    """The lines of a table in a terminal of this width, and the columns that are shown."""
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    shown = print_table(console, "a title", columns)
    assert console.width == width
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines(), shown


def body(lines: list[str]) -> list[str]:
    """What is below the rule under the heads."""
    [rule] = [n for n, line in enumerate(lines) if line.startswith(" ─")]
    return lines[rule + 1 :]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0012345, "0.00123"),
        (12.345, "12.3"),
        (456.0, "456"),
        (999.96, "1000"),
        (123456.0, "123456"),
        (999999.9, "1.00e6"),
        (0.000100, "0.000100"),
        (0.0000999949, "0.000100"),
        (7.5e-5, "7.50e-5"),
        (0.2, "0.200"),
        (0.0, "0"),
        (np.inf, "inf"),
        (np.nan, "nan"),
    ],
)
def test_ordinary_sizes_have_no_exponent(value: float, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize("width", [40, 60, 80, 100, 200])
@pytest.mark.parametrize("name", ["relu", NAME, "漢字" * 20])
def test_numbers_are_whole_at_any_width(width: int, name: str) -> None:
    columns = [TextColumn("cell", [name, "x"], is_text=True), TextColumn("learning rate", ["0.0123456789", "1"])]
    columns += [TextColumn(head, [number(value), "7"], rank=RANKS.get(head, 0)) for head, value in NUMBERS.items()]
    lines, shown = printed(width, columns)
    assert "…" not in "".join(lines)
    assert {"cell", "learning rate", "median", "diverged"} <= set(shown)
    for column in columns[1:]:
        assert (column.cells[0] in " ".join(lines).split()) == (column.name in shown)
    folded = "".join(re.split(" {2,}", line.strip())[0] for line in body(lines))
    assert name in folded


def test_quartiles_go_before_the_ends_of_intervals_and_then_the_table_sticks_out() -> None:
    columns = [TextColumn(head, [number(value)], rank=RANKS.get(head, 0)) for head, value in NUMBERS.items()]
    fewer, fewest = ["median", "low", "high", "diverged"], ["median", "diverged"]
    for width, heads in ((60, list(NUMBERS)), (59, fewer), (38, fewest)):
        lines, shown = printed(width, columns)
        assert shown == heads
        assert max(map(len, lines)) <= width
    lines, shown = printed(5, columns)
    assert shown == ["median", "diverged"]
    assert body(lines)[0].split() == ["123456", "0.500"]


def test_the_legend_has_the_columns_that_are_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    studies.write(tmp_path, {"sizes": studies.SIZES | {"replicates": 10}})
    cells: dict[str, object] = {"sweep": "sizes", "cell": [NAME, "b"], "activation": ["relu", "tanh"], "depth": 1}
    cells |= {"width": 4, "hidden_sizes": "4", "optimizer": "gd", "learning_rate": [0.02, 0.05], "steps": 20}
    cells |= {
        "batch_size": pd.array([None, None], "Int64"),
        "alpha": None,
        "error": "mse",
        "n_networks": 10,
        "n_diverged": 0,
    }
    cells |= {f"{split}_error_{rank}": 0.0012345 for split in ("test", "validation") for rank in ("median", "q1", "q3")}
    cells |= dict.fromkeys(MSE.interval_columns, -3.0)
    columns = [*store.HELD["cells.parquet"], *MSE.interval_columns]
    store.write_table(Paths(tmp_path).cells, pd.DataFrame(cells).reindex(columns=columns))
    store.write_table(Paths(tmp_path).data / "test.parquet", pd.DataFrame({"x": np.zeros(30)}))
    for width, legend, left_out in (
        (60, {"*", "typical"}, "q1, q3, low, high"),
        (200, {"*", "q1", "typical", "low"}, ""),
    ):
        monkeypatch.setattr(show, "terminal", partial(Console, width=width))
        show.show(Paths(tmp_path), ["sizes"])
        said = [line for line in body(capsys.readouterr().out.splitlines()) if ": " in line]
        assert {line.partition(":")[0].partition(",")[0] for line in said} - {"left out"} == legend
        assert (f"left out, for a wider terminal: {left_out}" in said) == bool(left_out)


def test_a_sweep_in_epochs_shows_epochs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    block = {"activation": "relu", "depth": 1, "width": 2, "learning_rate": 0.01, "optimizer": "adam"}
    block |= {"batch_size": [300, "full"], "epochs": [2, 3]}
    paths = studies.complete(tmp_path, {"passes": block})
    show.show(paths, ["passes"])
    out = capsys.readouterr().out
    assert "steps" not in out
    rows = [line.removeprefix("  *").split()[:2] for line in out.splitlines() if "0 / 1" in line]
    assert rows == [["300", "2"], ["300", "3"], ["full", "2"], ["full", "3"]]
    contrasts = store.read_table(paths.contrasts)
    assert set(contrasts["axis"]) == {"batch_size", "epochs"}
    assert set(contrasts.loc[contrasts["axis"] == "epochs", "level_a"]) == {"2"}


def test_a_large_sweep_shows_its_best_cells() -> None:
    errors = np.arange(show.MOST_CELLS + 1)[::-1].astype(float)
    cells = pd.DataFrame({"error": "mse", "validation_error_median": errors})
    assert show.best_of(cells)["validation_error_median"].tolist() == sorted(errors)[: show.MOST_CELLS]
    assert show.best_of(cells[1:]).equals(cells[1:])
