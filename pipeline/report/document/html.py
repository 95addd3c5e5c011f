"""The report as a self-contained HTML page."""

from __future__ import annotations

import re
from collections.abc import Sequence

import jinja2

from shoal.pipeline.report.document import typesetting
from shoal.pipeline.report.document.blocks import Formula, Section, kind, spans


def html(title: str, sections: Sequence[Section]) -> str:
    """The page: self-contained, without scripts, nothing fetched from anywhere.

    Raises typst.TypstError where a formula is not in Typst's notation.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("shoal.pipeline.report.document", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"inline": inline, "kind": kind, "spans": spans}
    found = [block for section in sections for block in section.blocks if isinstance(block, Formula)]
    drawn = dict(zip(found, typesetting.formulas([formula.typst for formula in found]), strict=True))
    return environment.get_template("report.html").render(title=title, sections=sections, formulas=drawn)


def inline(svg: str, prefix: str) -> str:
    """SVG text as an element of an HTML page: no prologue or name spaces, ids made unique by `prefix`."""
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r' xmlns(:\w+)?="[^"]*"', "", body)
    body = re.sub(r'\bid="', f'id="{prefix}-', body)
    body = re.sub(r'href="#', f'href="#{prefix}-', body)
    return re.sub(r"url\(#", f"url(#{prefix}-", body)
