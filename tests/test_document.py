"""Sections as HTML and as PDF: the same contents in both, every character as it is, nothing wider than the page."""

from __future__ import annotations

import string
from html.parser import HTMLParser

import pytest
import typst
from hypothesis import example, given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

from shoal.pipeline.figures.drawing import Drawing
from shoal.pipeline.report.document import typesetting
from shoal.pipeline.report.document.blocks import Folded, Formula, Plot, Section, Table, spans
from shoal.pipeline.report.document.html import html
from shoal.pipeline.report.document.markdown import markdown
from shoal.pipeline.report.document.pdf import SMALLEST, TYPE_SIZE, layout, pdf
from tests.pdf import Pdf

FORMULA = Formula("C = 1/N sum_n C_n")
ODD = [
    "#let x = 1",
    "$a$ and $b",
    "*bold* _em_ __init__",
    "@ref <label>",
    "a\\b \\n",
    "'single' \"double\"",
    "<b>&amp;</b>",
]
ODD += [
    "ŷ ≤ π – “ünï” жук → ·",
    "{{ x }} {% y %}",
    "// no comment /* none */",
    "= title",
    "- item",
    "~ a--b ...",
    "x" * 200,
]
TEXTS = st.text(string.ascii_letters + string.digits + string.punctuation + " äßéπΣŷ→–“”жЖ", min_size=1, max_size=60)


def without_space(text: str) -> str:
    return "".join(text.split())


class Words(HTMLParser):
    """The text of a page's body."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.text = ""
        self.feed(page[page.index("<body>") :])
        self.text = without_space(self.text)

    def handle_data(self, data: str) -> None:
        self.text += data


def everywhere(text: str) -> list[Section]:
    """A section with a text wherever a text can be."""
    table = Table(text, [text, "n"], [[text, f"1\n{text}"]])
    plot = Plot("figure", text, Drawing(Figure, (2, 1)))
    return [Section(text, [table, Folded(table), plot, FORMULA])]


@pytest.mark.parametrize("text", ODD)
def test_odd_characters_are_literal(text: str) -> None:
    wanted, sections = without_space(text), everywhere(text)
    document = Pdf(pdf("Title", sections))
    assert document.titles == [text, text, "Appendix"]
    assert document.text.count(wanted) >= 12  # contents and headings, two tables, the link and the caption
    assert Words(html("Title", sections)).text.count(wanted) >= 11
    paragraph = [Section("One", [text])]
    assert wanted in Pdf(pdf("Title", paragraph)).text
    assert wanted in Words(html("Title", paragraph)).text


@settings(max_examples=25, deadline=None)
@given(TEXTS)
@example("`")
@example("``")
def test_any_text_is_literal(text: str) -> None:
    wanted = without_space(text)
    sections = [Section("One", [Table("", ["a", text], [["1", text]])])]
    assert Pdf(pdf("Title", sections)).text.count(wanted) >= 2
    assert Words(html("Title", sections)).text.count(wanted) >= 2


def test_backticks_are_code() -> None:
    text = "Run `dvc repro` on <`a_b`>, not ` alone."
    assert list(spans(text)) == [
        ("Run ", False), ("dvc repro", True), (" on <", False), ("a_b", True), (">, not ` alone.", False)
    ]  # fmt: skip
    assert "Run <code>dvc repro</code> on &lt;<code>a_b</code>&gt;, not ` alone." in html(
        "Title", [Section("One", [text])]
    )
    content = pdf("Title", [Section("One", [text])])
    assert b"DejaVuSansMono" in content
    assert "Rundvcreproon<a_b>,not`alone." in Pdf(content).text


def test_blocks_keep_their_order_and_a_part_stands_in_front_of_its_title() -> None:
    table = Table("Numbers", ["a", "b"], [["1", "2"]])
    sections = [Section("Start", ["First.", table, "Second.", Folded(Table("All", ["a"], [["3"]])), "Last."], "2g")]
    order = ["2g·Start", "First.", "Numbers", "Second.", "All", "Last."]
    for text in (Pdf(pdf("Title", sections)).text, Words(html("Title", sections)).text):
        places = [text.index(word, text.rindex("2g·StartFirst")) for word in order]
        assert places == sorted(places)
    assert Pdf(pdf("Title", sections)).text.rindex("Appendix") < Pdf(pdf("Title", sections)).text.rindex("3")
    assert markdown(sections[0].blocks) == [
        "First.",
        "Numbers:",
        "| a | b |\n| --- | ---: |\n| 1 | 2 |",
        "Second.",
        "Last.",
    ]


def test_formulas_are_pictures_with_their_text() -> None:
    page = html("Title", [Section("One", [FORMULA, FORMULA, Formula("x^2")])])
    assert page.count('aria-label="C = 1/N Σₙ Cₙ"') == 2
    assert page.count("<svg") == 3
    assert "http" not in page
    assert b"/S/Formula" in pdf("Title", [Section("One", [FORMULA])])
    assert markdown([FORMULA]) == ["    C = 1/N Σₙ Cₙ"]


def test_a_wrong_formula_is_refused() -> None:
    wrong = [Section("One", [Formula("frac(1")])]
    for render in (html, pdf):
        with pytest.raises(typst.TypstError):
            render("Title", wrong)


@pytest.mark.parametrize("n_columns", [1, 2, 9, 10, 30])
@pytest.mark.parametrize("length", [1, 7, 21, 60])
def test_wide_tables_are_set_smaller_and_then_in_parts(n_columns: int, length: int) -> None:
    table = Table("Wide", ["head", *(f"c{n}" for n in range(n_columns))], [["row", *["9" * length] * n_columns]])
    parts = layout(table)
    assert [name for part in parts for [name] in part["header"][0][1:]] == table.header[1:]
    assert all(part["header"][0][0] == ["head"] and part["rows"][0][0] == ["row"] for part in parts)
    assert all(SMALLEST <= part["size"] <= TYPE_SIZE for part in parts)
    assert (len(parts) > 1) == (n_columns * min(length, 40) > 150)


def test_a_long_table_repeats_its_header_on_every_page() -> None:
    rows = [[f"row{n}", str(n)] for n in range(300)]
    document = Pdf(pdf("Title", [Section("One", [Table("Long", ["heading", "value"], rows)])]))
    assert len(document.pages) > 4
    assert document.text.count("headingvalue") == len(document.pages)


def test_nothing_to_set() -> None:
    assert typesetting.formulas([]) == []
    assert typesetting.pictures([]) == []


@pytest.mark.parametrize(
    ("typst", "text"),
    [
        (
            '"half_mse" = 1/N sum_(n=1)^N 1/2 sum_k (hat(y)_(n k) - y_(n k))^2',
            "half_mse = 1/N Σₙ₌₁ᴺ 1/2 Σₖ (ŷₙₖ - yₙₖ)²",
        ),
        ('C_"sum" = norm(y - hat(y)_n)^2, quad quad b = overline(h)', "C_sum = ‖y - ŷₙ‖², b = h̄".replace(", ", ",   ")),
        ("(partial C) / (partial a_(i+1)) = W_i^top (partial C) / (partial z_i)", "∂C/∂aᵢ₊₁ = Wᵢᵀ ∂C/∂zᵢ"),
        ("w_11 sigma'(sigma(x)) thin norm(W)_F^2", "w₁₁ σ′(σ(x)) ‖W‖_F²"),
        ("cases(e^(-z) quad & a > 0, beta_1^t quad & a = 0)", "(e⁻ᶻ where a > 0, β₁ᵗ where a = 0)"),
        ("w arrow.l w - eta m \\/ sqrt(v)", "w ← w - η m/√(v)"),
    ],
)
def test_formulas_as_plain_text(typst: str, text: str) -> None:
    assert Formula(typst).text == text
