"""`make readme`: put the results that the report stage measured between the README's two markers."""

from __future__ import annotations

from pathlib import Path

from pipeline.store import write_text

README = Path("README.md")
RESULTS = Path("docs/results.md")
BEGIN, END = "<!-- results: begin -->\n", "<!-- results: end -->\n"


def with_results(readme: str, results: str) -> str:
    """The README's text with the first table of `results` between the markers; raises ValueError without markers."""
    table = "\n".join(line for line in results.partition("\n### ")[0].splitlines() if line.startswith("|")) + "\n"
    head, _, rest = readme.partition(BEGIN)
    _, marker, tail = rest.partition(END)
    if not marker:
        raise ValueError(f"README.md lacks the lines {BEGIN.strip()} and {END.strip()} around its results")
    return f"{head}{BEGIN}{table}{END}{tail}"


if __name__ == "__main__":
    write_text(README, with_results(README.read_text(encoding="utf-8"), RESULTS.read_text(encoding="utf-8")))
