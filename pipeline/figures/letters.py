"""Letters of the user's names: which fonts have them, and what stands for a letter that none has."""

from __future__ import annotations

import unicodedata
from functools import cache
from pathlib import Path

from matplotlib import font_manager
from matplotlib.ft2font import FT2Font

FAMILY = "DejaVu Sans"
"""It comes with matplotlib: all that shoal itself writes is in it, and so are Greek, Cyrillic and much else."""

FALLBACKS = (
    "Noto Sans", "Noto Sans CJK SC", "Noto Sans CJK TC", "Noto Sans CJK JP", "Noto Sans CJK KR", "Noto Sans SC",
    "Noto Sans JP", "Noto Sans KR", "Source Han Sans SC", "WenQuanYi Zen Hei", "WenQuanYi Micro Hei", "PingFang SC",
    "Hiragino Sans", "Apple SD Gothic Neo", "Microsoft YaHei", "Yu Gothic", "Malgun Gothic", "Noto Sans Arabic",
    "Noto Sans Hebrew", "Noto Sans Devanagari", "Noto Sans Thai", "Noto Sans Symbols", "Noto Sans Symbols 2",
    "Noto Emoji", "Symbola", "Segoe UI Symbol", "Arial Unicode MS", "Unifont",
)  # fmt: skip
"""Families that are asked for the letters that it lacks, as far as they are installed, in this order."""


@cache
def families() -> dict[str, tuple[Path, frozenset[int]]]:
    """The family and its fallbacks that are installed: the file of each, and the letters in it."""
    installed = set(font_manager.get_font_names())
    found = {}
    for name in (FAMILY, *FALLBACKS):
        if name in installed:
            path = Path(font_manager.findfont(name, fallback_to_default=False))
            found[name] = path, frozenset(FT2Font(str(path)).get_charmap())
    return found


def shown(text: str) -> str:
    """The text as figures and the PDF show it: letters that no font has become escapes such as \\u4e2d.

    Accents are joined with their letters where there is such a letter.
    """
    if text.isascii():
        return text
    return "".join(_shown(letter) for letter in unicodedata.normalize("NFC", text))


def _shown(letter: str) -> str:
    return letter if letter == "\n" or _family(letter) else escaped(letter)


def _family(letter: str) -> str | None:
    """The first family that has the letter."""
    return next((name for name, (_, letters) in families().items() if ord(letter) in letters), None)


def printable(name: str) -> str:
    """A name on one line: control characters, line breaks among them, become escapes such as \\n."""
    return "".join(escaped(letter) if unicodedata.category(letter) in ("Cc", "Cs") else letter for letter in name)


def escaped(letter: str) -> str:
    """The letter's number, as Python writes it."""
    return letter.encode("unicode_escape").decode("ascii")


def needed(text: str) -> dict[str, Path]:
    """The families, each with its file, of the letters in a text that are no ASCII, in the order of the list."""
    names = {_family(letter) for letter in set(text) if not letter.isascii()}
    return {name: path for name, (path, _) in families().items() if name in names}
