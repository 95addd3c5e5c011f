"""Typst, with its own fonts and those of figures: documents as PDF, formulas as SVG, SVG figures as PNG."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import typst

from shoal.pipeline.figures import letters

POINTS_PER_EM = 8.5
"""Formulas are set at 10 points and shown larger: letters of a page's text font are taller than Typst's of its size."""

FORMULAS = b"""
#set page(width: auto, height: auto, margin: 1pt, fill: none)
#set text(size: 10pt, fill: rgb("#222222"))
#for formula in json(bytes(sys.inputs.content)) { page(math.equation(block: true, eval(formula, mode: "math"))) }
"""
FIGURES = b"""
#set page(width: auto, height: auto, margin: 0pt)
#for figure in json(bytes(sys.inputs.content)) { page(image(bytes(figure), format: "svg")) }
"""
DOTS_PER_INCH = 150


def document(template: bytes, content: Any) -> bytes:
    """The PDF of a template that reads JSON from sys.inputs.content: its `content`, and `fonts` to fall back to.

    Raises typst.TypstError where the template fails.
    """
    fonts = letters.needed(json.dumps(content, ensure_ascii=False))
    [file] = _compiled(template, {"content": content, "fonts": list(fonts)}, "pdf", fonts.values())
    return file


def formulas(texts: Sequence[str]) -> list[str]:
    """SVG of formulas in Typst's notation, sized to the text around; raises typst.TypstError for a wrong one."""
    pages = _compiled(FORMULAS, list(texts), "svg") if texts else []
    return [re.sub(r'(width|height)="([\d.]+)pt"', _in_em, page.decode(), count=2) for page in pages]


def _in_em(match: re.Match[str]) -> str:
    return f'{match[1]}="{float(match[2]) / POINTS_PER_EM:.4g}em"'


def pictures(svgs: Sequence[str]) -> list[bytes]:
    """PNG of figures."""
    return _compiled(FIGURES, list(svgs), "png") if svgs else []


def _compiled(
    template: bytes, content: Any, form: Literal["pdf", "svg", "png"], fonts: Iterable[Path] = ()
) -> list[bytes]:
    """What Typst makes of a template: one file, or one for each page; `fonts` are files in whose folders it looks."""
    inputs, folders = {"content": json.dumps(content)}, sorted({path.parent for path in fonts})
    found = typst.Fonts(include_system_fonts=False, font_paths=folders)
    compiler = typst.Compiler(template, font_paths=found, ignore_system_fonts=True, sys_inputs=inputs)
    made = compiler.compile(format=form, ppi=DOTS_PER_INCH)
    return made if isinstance(made, list) else [made or b""]
