"""`make readme`: put the results that the report stage measured between the README's two markers."""

from __future__ import annotations

import sys
from pathlib import Path

from shoal.pipeline.errors import ShoalError, guarded
from shoal.pipeline.store import write_text

README = Path("README.md")
RESULTS = Path("docs/results.md")
BEGIN, END = "<!-- results: begin -->\n", "<!-- results: end -->\n"


def with_results(readme: str, results: str) -> str:
    """The README's text with the first table of `results` between the markers; raises ShoalError without markers."""
    table = "\n".join(line for line in results.partition("\n### ")[0].splitlines() if line.startswith("|")) + "\n"
    head, _, rest = readme.partition(BEGIN)
    _, marker, tail = rest.partition(END)
    if not marker:
        raise ShoalError(f"README.md lacks the lines {BEGIN.strip()} and {END.strip()} around its results")
    return f"{head}{BEGIN}{table}{END}{tail}"


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ShoalError(f"{path}: found bytes that are not UTF-8 text; allowed: UTF-8") from None


def main() -> None:
    """Renew the README of the current folder."""
    write_text(README, with_results(_text(README), _text(RESULTS)))


if __name__ == "__main__":
    sys.exit(guarded(main))
