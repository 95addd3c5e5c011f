"""The report as a PDF file, typeset by Typst."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib import resources
from typing import Any

from shoal.pipeline.figures import letters, style
from shoal.pipeline.report.document import typesetting
from shoal.pipeline.report.document.blocks import Block, Folded, Formula, Plot, Section, Table, kind, spans

TYPE_SIZE, SMALLEST = 9.0, 6.0
"""Points: tables are set in the first, and in smaller type down to the second where they are wide."""

LINE = 480.0
CHARACTER, GAP = 0.46, 1.0
"""Width of the page in points, of a character and of the space between columns as parts of the type size."""

MOST_CHARACTERS = 40
"""Longer lines and, in the template, longer words are broken."""

SECONDARY = 0.87
"""Type size, in the template, of the lines below the first of a cell."""


def pdf(title: str, sections: Sequence[Section]) -> bytes:
    """The report with its contents and page numbers; the bytes depend on its content and on Typst's version alone.

    Raises typst.TypstError where a formula is not in Typst's notation.
    """
    content = [
        {"heading": section.heading, "blocks": [_block(block, f"{n}-{k}") for k, block in enumerate(section.blocks)]}
        for n, section in enumerate(sections)
    ]
    template = resources.files("shoal.pipeline.report.document").joinpath("templates", "report.typ").read_bytes()
    return typesetting.document(template, _shown({"title": title, "sections": content}))


def _shown(value: Any) -> Any:
    """The content with its text as fonts have it; figures and formulas stay as they are."""
    match value:
        case str():
            return letters.shown(value)
        case dict():
            return {key: part if key in ("svg", "typst") else _shown(part) for key, part in value.items()}
        case list() | tuple():
            return list(map(_shown, value))
        case _:
            return value


def _block(block: Block, anchor: str) -> dict[str, Any]:
    """What the template needs of a block; `anchor` is what links to it."""
    found: dict[str, Any] = {"kind": kind(block)}
    match block:
        case str():
            return found | {"spans": list(spans(block))}
        case Formula():
            return found | {"typst": block.typst, "text": block.text}
        case Table():
            return found | {"parts": layout(block)}
        case Folded():
            return found | {"caption": block.table.caption, "parts": layout(block.table), "anchor": anchor}
        case Plot():
            svg = block.drawing.svg
            share = min(style.width(svg) / style.WIDTH, 1.0)
            return found | {"caption": block.caption, "svg": svg, "share": share}


def layout(table: Table) -> list[dict[str, Any]]:
    """The table as the template draws it: in a type size that fits the page, in parts where it would be too small."""
    parts = list(_parts(table))
    size = min(_size(part, range(len(part.header))) for part in parts)
    return [_part(part) | {"size": min(TYPE_SIZE, max(SMALLEST, size))} for part in parts]


def _part(table: Table) -> dict[str, Any]:
    header = [[_lines(name) for name in table.header]] if any(table.header) else []
    rows = [[_lines(text) for text in row] for row in table.rows]
    return {"caption": table.caption, "heads": table.n_heads, "header": header, "rows": rows}


def _lines(text: str) -> list[str]:
    return text.split("\n")


def _parts(table: Table) -> Iterator[Table]:
    """The table, or several that repeat its heads and share its columns where one would be too wide."""
    heads = list(range(table.n_heads))
    groups: list[list[int]] = [[]]
    for column in range(table.n_heads, len(table.header)):
        if groups[-1] and _size(table, [*heads, *groups[-1], column]) < SMALLEST:
            groups.append([])
        groups[-1].append(column)
    for n, group in enumerate(groups):
        header, *rows = ([row[column] for column in heads + group] for row in (table.header, *table.rows))
        caption = f"{table.caption} (continued)".lstrip() if n else table.caption
        yield replace(table, caption=caption, header=header, rows=rows)


def _size(table: Table, columns: Sequence[int]) -> float:
    """The type size at which these columns fill the page."""
    widths = [_characters(table, column) for column in columns]
    return LINE / (CHARACTER * sum(widths) + GAP * len(widths))


def _characters(table: Table, column: int) -> float:
    """The width of a column in characters of the type size, where no line of it is broken."""
    texts = [_lines(row[column]) for row in [table.header, *table.rows]]
    longest = max(max(len(first), *(SECONDARY * len(line) for line in others), 0.0) for first, *others in texts)
    return min(longest, MOST_CHARACTERS)
