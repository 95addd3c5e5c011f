"""The report's sections as an HTML page and as Markdown."""

from __future__ import annotations

import re
from collections.abc import Sequence

import jinja2

from pipeline.report.sections import Section
from pipeline.report.tables import Table

DEFINITIONS = (
    "half_mse = (1/N) Σₙ ½ Σₖ (ŷ - y)² is the cost that is differentiated, trained on and recorded (the assignment's "
    "MSE); learning curves and columns named train half_mse show it. mse = 1/(N K) Σₙ Σₖ (ŷ - y)² is what evaluation "
    "reports; everything named train, validation or test mse shows it. For K outputs half_mse = K · mse / 2. "
    "The typical test mse of a cell is 10 to the power of the interquartile mean (the mean of the middle half) of "
    "log₁₀ test mse over its networks; in brackets, the 95 % BCa bootstrap interval of it. A diverged network counts "
    "as infinite everywhere and is never left out."
)


def html(sections: Sequence[Section]) -> str:
    """The page: self-contained, without scripts, nothing fetched from anywhere."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("pipeline", "report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["inline"] = inline
    return environment.get_template("template.html").render(sections=sections, definitions=DEFINITIONS)


def inline(svg: str, prefix: str) -> str:
    """SVG text as an element of an HTML page: no prologue or name spaces, ids made unique by `prefix`."""
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r' xmlns(:\w+)?="[^"]*"', "", body)
    body = re.sub(r'\bid="', f'id="{prefix}-', body)
    body = re.sub(r'href="#', f'href="#{prefix}-', body)
    return re.sub(r"url\(#", f"url(#{prefix}-", body)


def markdown_table(table: Table) -> str:
    """A table in GitHub's Markdown, each cell on one line."""
    ruler = ["---"] * table.n_heads + ["---:"] * (len(table.header) - table.n_heads)
    rows = [[text.replace("\n", " ").replace("|", "\\|") for text in row] for row in (table.header, ruler, *table.rows)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
