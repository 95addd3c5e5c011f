"""Parts of the report as Markdown."""

from __future__ import annotations

from collections.abc import Iterable

from shoal.pipeline.report.document.blocks import Block, Formula, Table


def markdown(blocks: Iterable[Block]) -> list[str]:
    """Paragraphs, formulas as text and tables; Markdown has no figures and no folded tables."""
    texts = []
    for block in blocks:
        if isinstance(block, Table):
            texts += [f"{block.caption}:", markdown_table(block)] if block.caption else [markdown_table(block)]
        elif isinstance(block, Formula):
            texts.append(f"    {block.text}")
        elif isinstance(block, str):
            texts.append(block)
    return texts


def markdown_table(table: Table) -> str:
    """A table in GitHub's Markdown, each cell on one line."""
    ruler = ["---"] * table.n_heads + ["---:"] * (len(table.header) - table.n_heads)
    rows = [[text.replace("\n", " ").replace("|", "\\|") for text in row] for row in (table.header, ruler, *table.rows)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
