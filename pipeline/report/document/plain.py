"""Formulas in Typst's notation as a line of plain text, for who cannot see them."""

from __future__ import annotations

import re
import unicodedata

WORDS = {
    "partial": "∂", "sum": "Σ", "sqrt": "√", "dot": "·", "arrow.l": "←", "top": "T", "quad": "", "cases": "",
    "alpha": "α", "beta": "β", "epsilon": "ε", "eta": "η", "lambda": "λ", "sigma": "σ",
}  # fmt: skip
"""What stands for a word of Typst's; any other word stands for itself."""

ACCENTS = {"hat": "\u0302", "overline": "\u0304"}
LOW = dict(zip("0123456789+-=()aehijklmnoprstuvx", "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ", strict=True))
HIGH = dict(zip("0123456789+-=()aceghijklmnoprstuvxyzKNT", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ᵃᶜᵉᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛˣʸᶻᴷᴺᵀ", strict=True))
SMALL = {"_": LOW, "^": HIGH}
"""Letters below and above the line, as far as there are such."""

QUOTED = r'"([^"]*)"'
SCRIPT = re.compile(rf"{QUOTED}|([_^])(?:\(([^()]*)\)|([^\W_]+))")
WORD = re.compile(rf"{QUOTED}|[a-z]+(?:\.[a-z]+)?")
DERIVATIVE = re.compile(r"\((partial (?:[^()]|\([^()]*\))*)\) / \((partial (?:[^()]|\([^()]*\))*)\)")


def plain(formula: str) -> str:
    """The formula with symbols for words: `y_n^2` becomes yₙ², `(partial C) / (partial x)` becomes ∂C/∂x."""
    text = re.sub(r"\b(hat|overline)\((\w)\)", _accented, " ".join(formula.split()))
    text = re.sub(r"\bnorm\(([^()]*)\)", r"‖\1‖", DERIVATIVE.sub(r"\1/\2", text))
    for typst, shown in (("quad &", "where"), ("thin ", ""), (r" \/ ", "/"), ("'", "′")):
        text = text.replace(typst, shown)
    return WORD.sub(_word, SCRIPT.sub(_script, text)).replace("∂ ", "∂")


def _accented(match: re.Match[str]) -> str:
    return unicodedata.normalize("NFC", match[2] + ACCENTS[match[1]])


def _script(match: re.Match[str]) -> str:
    """Small letters where there are such for the whole script; text in quotes has none."""
    _, mark, *insides = match.groups()
    if mark is None:
        return match[0]
    inside = next(filter(None, insides))
    letters = re.sub("[ ,]", "", WORDS.get(inside, inside))
    small = SMALL[mark]
    return "".join(small[letter] for letter in letters) if small.keys() >= set(letters) else match[0]


def _word(match: re.Match[str]) -> str:
    return WORDS.get(match[0], match[0]) if match[1] is None else match[1]
