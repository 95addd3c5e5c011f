"""The report as a PDF file, typeset by Typst."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib import resources
from typing import Any

from pipeline.figures import style
from pipeline.report import typesetting
from pipeline.report.document import Block, Folded, Formula, Section, kind, spans
from pipeline.report.plots import Plot
from pipeline.report.tables import Table

TYPE_SIZE, SMALLEST = 9.0, 6.0
"""Points: tables are set in the first, and in smaller type down to the second where they are wide."""

LINE = 480.0
CHARACTER, GAP = 0.46, 1.0
"""Width of the page in points, of a character and of the space between columns as parts of the type size."""

MOST_CHARACTERS = 40
"""Longer lines and, in the template, longer words are broken."""

SECONDARY = 0.87
"""Type size, in the template, of the lines below the first of a cell."""


def pdf(sections: Sequence[Section]) -> bytes:
    """The report with its contents and page numbers; the bytes depend on the sections and on Typst's version alone.

    Raises typst.TypstError where a formula is not in Typst's notation.
    """
    content = [
        {"heading": section.heading, "blocks": [_block(block, f"{n}-{k}") for k, block in enumerate(section.blocks)]}
        for n, section in enumerate(sections)
    ]
    template = resources.files("pipeline.report").joinpath("template.typ").read_bytes()
    return typesetting.document(template, content)


def _block(block: Block, anchor: str) -> dict[str, Any]:
    """What the template needs of a block; `anchor` is what links to it."""
    found: dict[str, Any] = {"kind": kind(block)}
    match block:
        case str():
            return found | {"spans": list(spans(block))}
        case Formula():
            return found | {"typst": block.typst, "text": block.text}
        case Table():
            return found | {"parts": [*map(_table, _parts(block))]}
        case Folded():
            parts = [*map(_table, _parts(block.table))]
            return found | {"caption": block.table.caption, "parts": parts, "anchor": anchor}
        case Plot():
            share = min(block.figure.get_figwidth() / style.WIDTH, 1.0)
            return found | {"caption": block.caption, "svg": block.svg, "share": share}


def _table(table: Table) -> dict[str, Any]:
    size = min(TYPE_SIZE, max(SMALLEST, _size(table, range(len(table.header)))))
    header = [[_lines(name) for name in table.header]] if any(table.header) else []
    rows = [[_lines(text) for text in row] for row in table.rows]
    return {"caption": table.caption, "heads": table.n_heads, "header": header, "rows": rows, "size": size}


def _lines(text: str) -> list[str]:
    return text.split("\n")


def _parts(table: Table) -> Iterator[Table]:
    """The table, or several that repeat its heads and share its columns where one would be too wide."""
    heads, first = range(table.n_heads), table.n_heads
    for end in range(first + 1, len(table.header) + 1):
        is_last = end == len(table.header)
        if is_last or _size(table, [*heads, *range(first, end + 1)]) < SMALLEST:
            columns = [*heads, *range(first, end)]
            caption = table.caption if first == table.n_heads else f"{table.caption} (continued)"
            header, *rows = ([row[n] for n in columns] for row in (table.header, *table.rows))
            yield replace(table, caption=caption, header=header, rows=rows)
            first = end


def _size(table: Table, columns: Sequence[int]) -> float:
    """The type size at which these columns fill the page."""
    widths = [_characters(table, column) for column in columns]
    return LINE / (CHARACTER * sum(widths) + GAP * len(widths))


def _characters(table: Table, column: int) -> float:
    """The width of a column in characters of the type size, where no line of it is broken."""
    texts = [_lines(row[column]) for row in [table.header, *table.rows]]
    longest = max(max(len(first), *(SECONDARY * len(line) for line in others), 0.0) for first, *others in texts)
    return min(longest, MOST_CHARACTERS)
