"""Tables in the terminal. Numbers are never shortened: columns go, names are folded, and a table may stick out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

NARROWEST = 12
"""Letters of a long name that stay beside each other."""
ENDLESS = 10_000
"""The width of a file or a pipe: nothing is left out or folded there."""


@dataclass(frozen=True)
class TextColumn:
    """A column with its cells. Text is folded where it must be, numbers never; `rank` 1 goes first, 0 stays."""

    name: str
    cells: Sequence[str]
    is_text: bool = False
    rank: int = 0

    @property
    def least(self) -> int:
        """Letters that it needs: those of its numbers, of a longer name as many as are kept together."""
        return max(min(self._widest, NARROWEST) if self.is_text else self._widest, self._word)

    @property
    def most(self) -> int:
        """Letters that it can use."""
        return max(self._widest, cell_len(self.name))

    @property
    def _widest(self) -> int:
        return max(map(cell_len, self.cells), default=0)

    @property
    def _word(self) -> int:
        return min(NARROWEST, max(map(cell_len, self.name.split()), default=0))


def terminal() -> Console:
    """The standard output; files and pipes have no width."""
    console = Console()
    if not console.is_terminal:
        console.width = ENDLESS
    return console


def print_table(console: Console, title: str, columns: Sequence[TextColumn]) -> list[str]:
    """Print the columns that fit the terminal; returns the names of those shown.

    Columns go in the order of their rank, those of one rank together. What then is too wide for the terminal is
    printed in full.
    """
    shown = list(columns)
    for rank in sorted({column.rank for column in columns} - {0}):
        if _width([column.least for column in shown]) > console.width:
            shown = [column for column in shown if column.rank != rank]
    widths = [column.least for column in shown]
    for n, column in enumerate(shown):
        widths[n] += max(0, min(column.most - widths[n], console.width - _width(widths)))
    table = _table(title, shown, widths)
    width = console.width
    console.width = max(width, _width(widths))  # rich cuts what does not fit
    console.print(table)
    console.width = width
    return [column.name for column in shown]


def _table(title: str, columns: Sequence[TextColumn], widths: Sequence[int]) -> Table:
    table = Table(title=Text(title), box=box.SIMPLE_HEAD, title_justify="left")
    for column, width in zip(columns, widths, strict=True):
        table.add_column(Text(column.name), justify="left" if column.is_text else "right", width=width, overflow="fold")
    for row in zip(*(column.cells for column in columns), strict=True):
        table.add_row(*map(Text, row))
    return table


def _width(widths: Sequence[int]) -> int:
    """The width of a table whose columns have these widths, borders included, as rich measures it."""
    table = _table("", [TextColumn("", []) for _ in widths], widths)
    endless = Console(width=ENDLESS)
    return Measurement.get(endless, endless.options, table).maximum
