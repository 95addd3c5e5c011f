"""What a report is made of: sections, each an ordered list of paragraphs, formulas, tables and figures."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from shoal.pipeline.figures.drawing import Drawing
from shoal.pipeline.report.document.plain import plain


@dataclass(frozen=True)
class Formula:
    """A displayed formula in Typst's notation for mathematics."""

    typst: str

    @property
    def text(self) -> str:
        """The same in plain text, for who cannot see it."""
        return plain(self.typst)


@dataclass(frozen=True)
class Table:
    """A table of text; the first `n_heads` columns head their row. What follows a line break in a cell is secondary."""

    caption: str
    header: list[str]
    rows: list[list[str]]
    n_heads: int = 1


@dataclass(frozen=True)
class Folded:
    """A table that HTML shows when opened, and that the PDF has in its appendix."""

    table: Table


@dataclass(frozen=True, eq=False)
class Plot:
    """A figure with its caption, and the path of its files below the folder of figures, without their ending."""

    path: str
    caption: str
    drawing: Drawing


Block = str | Formula | Table | Folded | Plot
"""A string is a paragraph, whose parts in backticks are code; everything else in it is literal."""


@dataclass(frozen=True)
class Section:
    """A part of the report; `part` says which part of the assignment it answers, if it answers one."""

    title: str
    blocks: list[Block]
    part: str = ""

    @property
    def heading(self) -> str:
        """The title, behind the part that it answers."""
        return f"{self.part} · {self.title}" if self.part else self.title

    @property
    def plots(self) -> list[Plot]:
        """The figures, in their order."""
        return [block for block in self.blocks if isinstance(block, Plot)]


def kind(block: Block) -> str:
    """What a block is, in one word: paragraph, formula, table, folded or plot."""
    return "paragraph" if isinstance(block, str) else type(block).__name__.lower()


def spans(paragraph: str) -> Iterator[tuple[str, bool]]:
    """The pieces of a paragraph, each with whether it is code; a backtick without a partner is itself."""
    for piece in re.split(r"(`[^`]+`)", paragraph):
        if piece:
            is_code = len(piece) > 2 and piece[0] == piece[-1] == "`"
            yield (piece[1:-1] if is_code else piece), is_code
