"""Damaged tables through `shoal init`, check and the data stage: a right result, or at most ten lines.

`make fuzz-tables` has 500 of any size, `N=` and `SEED=` others; test_fuzz_tables.py has small ones.
"""

from __future__ import annotations

import csv
import gzip
import io
import os
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.random import Generator

from shoal.pipeline import data, errors
from shoal.pipeline.data import readers
from shoal.pipeline.data.dialect import PLAIN
from shoal.pipeline.paths import Paths
from shoal.pipeline.stages import data as data_stage
from shoal.pipeline.terminal import cli

MOST_LINES = 10
SECONDS = 120
"""Of the processor, from which on a table counts as one that hangs."""
STUDY, TARGET = "study", "y"
Damage = Callable[[Generator, bytes], bytes]


@dataclass(frozen=True)
class Case:
    """The file to begin with, and the table that it is to be read as; None where damage makes that unknown."""

    label: str
    name: str
    content: bytes
    truth: pd.DataFrame | None


def case(seed: int, rows: int, columns: int) -> Case:
    """A table of up to so many rows and columns in some form, every second one damaged."""
    rng = np.random.default_rng(seed)
    n = int(rng.choice([0, 1, 3, 10, 40, rows])) if rng.random() < 0.5 else int(rows ** rng.random() * 4)
    k = min(int(columns ** rng.random()), max(1, 300_000 // max(n, 1)))
    table = _table(rng, min(n, rows), k)
    if rng.random() < 0.15:
        label, name, content, whole = "parquet", "t.parquet", _parquet(table), True
    else:
        label, name, content, whole = _text(rng, table)
    if rng.random() < 0.5:
        damage = list(DAMAGES)[rng.integers(len(DAMAGES))]
        return Case(f"{label}, {damage}", name, _packed(name, DAMAGES[damage](rng, content)), None)
    if name.endswith(".gz") and rng.random() < 0.3:
        return Case(f"{label}, packed and cut", name, gzip.compress(content)[: -int(rng.integers(1, 30))], None)
    return Case(label, name, _packed(name, content), table if whole else None)


def _packed(name: str, content: bytes) -> bytes:
    return gzip.compress(content, mtime=0) if name.endswith(".gz") else content


def _table(rng: Generator, n: int, k: int) -> pd.DataFrame:
    """Columns of all kinds, and a target of numbers or classes; cells are text as a file has them."""
    kinds = ["number", "whole", "levels", "truth", "names", "thousand", "odd"]
    columns = {f"{kind[0]}{i}": _column(rng, kind, n) for i, kind in enumerate(rng.choice(kinds, k))}
    if rng.random() < 0.2:
        columns['größe, "m²"'] = _column(rng, "number", n)
    columns[TARGET] = _column(rng, str(rng.choice(["number", "whole", "levels"])), n)
    return pd.DataFrame(columns, dtype=str)


def _column(rng: Generator, kind: str, n: int) -> list[str]:
    if kind in ("number", "thousand"):
        digits = int(rng.integers(1, 5)) if kind == "number" else 3
        return [f"{value:.{digits}f}" for value in rng.normal(0, 10 ** rng.integers(0, 4), n)]
    if kind == "whole":
        return [str(value) for value in rng.integers(-5, 2000, n)]
    texts = {
        "levels": ["north", "south", "É; o"],
        "truth": ["true", "false"],
        "names": [f"row {i}" for i in range(max(n, 1))],
        "odd": ["", "x\ny", 'say "no"', "a,b", "7"],
    }
    return [texts[kind][i % len(texts[kind])] for i in (range(n) if kind == "names" else rng.integers(0, 99, n))]


def _parquet(table: pd.DataFrame) -> bytes:
    numbers = {name: pd.to_numeric(column, errors="coerce") for name, column in table.items()}
    typed = table.assign(
        **{str(name): column for name, column in numbers.items() if len(column) and column.notna().all()}
    )
    return bytes(typed.to_parquet(index=False))


def _text(rng: Generator, table: pd.DataFrame) -> tuple[str, str, bytes, bool]:
    """A form of text: what it is called, the file's name, its bytes, and whether all that it says can be found."""
    separator = str(rng.choice([",", ";", "\t", "|"]))
    comma = separator != "," and rng.random() < 0.4
    lines = io.StringIO()
    quoting = csv.QUOTE_ALL if rng.random() < 0.2 else csv.QUOTE_MINIMAL
    end = str(rng.choice(["\n", "\r\n"]))
    writer = csv.writer(lines, delimiter=separator, quoting=quoting, lineterminator=end)
    trailing = [""] * int(rng.choice([0, 0, 0, 2]))
    if title := rng.random() < 0.15:
        lines.write(f"measured in 2024{end}{end}")
    writer.writerow([*table.columns, *trailing])
    is_number = [bool(pd.to_numeric(table[name], errors="coerce").notna().all()) for name in table]
    for row in table.itertuples(index=False):
        cells = [
            cell.replace(".", ",") if comma and number else cell for cell, number in zip(row, is_number, strict=True)
        ]
        writer.writerow([*cells, *trailing])
        if rng.random() < 0.02:
            lines.write(end)
    encoding = str(rng.choice(["utf-8", "utf-8", "utf-8-sig", "utf-16", "latin-1"]))
    packed = ".gz" if rng.random() < 0.1 else ""
    said = [
        repr(separator),
        "comma" if comma else "point",
        encoding,
        "title" * title,
        "trailing" * bool(trailing),
        packed,
    ]
    label = ", ".join(filter(None, said))
    whole = encoding != "latin-1" or lines.getvalue().isascii()
    return label, f"t.csv{packed}", lines.getvalue().encode(encoding, "replace"), whole


def _flipped(rng: Generator, content: bytes) -> bytes:
    found = bytearray(content)
    for place in rng.integers(0, max(len(found), 1), int(rng.integers(1, 9))) if found else []:
        found[place] ^= 1 << int(rng.integers(8))
    return bytes(found)


def _cut(rng: Generator, content: bytes) -> bytes:
    return content[: int(rng.integers(0, len(content) + 1))]


def _put(*texts: bytes) -> Damage:
    """Put one of these texts in, at one place or at several."""

    def damage(rng: Generator, content: bytes) -> bytes:
        for _ in range(int(rng.choice([1, 1, 5]))):
            place = int(rng.integers(0, len(content) + 1))
            content = content[:place] + texts[rng.integers(len(texts))] + content[place:]
        return content

    return damage


def _cells(*texts: bytes) -> Damage:
    """Put one of these texts in the place of a cell, or of several."""

    def damage(rng: Generator, content: bytes) -> bytes:
        lines = content.split(b"\n")
        for _ in range(int(rng.choice([1, 3, 30]))):
            i = int(rng.integers(len(lines)))
            mark = next((mark for mark in (b"\t", b";", b"|", b",") if mark in lines[i]), b",")
            cells = lines[i].split(mark)
            cells[rng.integers(len(cells))] = texts[rng.integers(len(texts))]
            lines[i] = mark.join(cells)
        return b"\n".join(lines)

    return damage


DAMAGES: dict[str, Damage] = {
    "bits flipped": _flipped,
    "cut": _cut,
    "quotes": _put(b'"', b'""', b"'", b'"\n', b',"'),
    "NUL": _put(b"\0", b"\0\0"),
    "separators": _put(b",", b";", b"\t", b"|", b" , "),
    "bytes": _put(b"\xff", b"\xc3", b"\xef\xbb\xbf", b"\x1a", b"\r"),
    "lines": _put(b"\n\n", b"\r\n\r\n", b"\n#\n", b"\n \n"),
    "huge": _cells(b"inf", b"-Infinity", b"1e400", b"9" * 400, b"1e308", b"-1e308", b"1e-320"),
    "dates": _cells(b"2024-01-31", b"31.12.2024", b"1/2/24", b"12:30"),
    "text": _cells(b"n/a", b"-", b"x" * 9000, b"nan", b"None", b"1_000", b"0x1F", b"TRUE", b"1,234.5", b"1.234,5"),
    "names": lambda rng, content: content.split(b"\n")[0].replace(b"2", b"1") + b"\n" + content.partition(b"\n")[2],
    "no name": lambda rng, content: content[int(rng.integers(1, 4)) :],
    "header alone": lambda rng, content: content.partition(b"\n")[0] + b"\n",
    "no header": lambda rng, content: content.partition(b"\n")[2],
    "nothing": lambda rng, content: bytes(rng.choice([b"", b"\n", b" ", b"\xff\xfe", b"\xef\xbb\xbf"])),
    "twice": lambda rng, content: content + content,
    "another": lambda rng, content: content.decode("latin-1").encode("utf-16-le"),
}


def outcome(one: Case, folder: Path) -> str:
    """How a table ends: `right`, or `refused`; raises AssertionError for whatever else it ends in.

    A study of a table that is damaged is right if it is whole.
    """
    with chdir(folder):
        Path(one.name).write_bytes(one.content)
        target = TARGET if one.truth is not None or b"y" in one.content[:9] else "last"
        code, said = _run(lambda: cli.main(["init", one.name, STUDY, "--target", target]))
        left = sorted(path.name for path in Path().iterdir())
        if code:
            assert (code, left) == (errors.REFUSED, [one.name]), (code, left, said)
            assert 0 < len(said.splitlines()) <= MOST_LINES, f"{len(said.splitlines())} lines:\n{said}"
            return "refused"
        assert left == [STUDY, one.name], left
        with chdir(STUDY):
            for step in (lambda: cli.main(["check"]), lambda: errors.guarded(lambda: data_stage.run(Paths()))):
                code, said = _run(step)
                assert code == 0, said
            if one.truth is not None:
                _compare(one.truth, one.name)
    return "right"


def _run(step: Callable[[], object]) -> tuple[int, str]:
    """Exit status and errors of a command."""
    said = io.StringIO()
    with redirect_stderr(said), redirect_stdout(io.StringIO()):
        try:
            status = step()
        except SystemExit as end:
            status = end.code
    if isinstance(status, int) and status > 128:  # Ctrl-C or a termination, which is meant for all of this
        raise KeyboardInterrupt
    return int(status or 0), said.getvalue()  # type: ignore[call-overload]


def _compare(truth: pd.DataFrame, name: str) -> None:
    """What was read, against what was written."""
    table, dataset = readers.read(Path(), name, "", PLAIN), data.load(Paths())
    assert table.columns == list(truth), (table.columns, list(truth))
    for column in truth:
        numbers = pd.to_numeric(truth[column].replace("", "x"), errors="coerce").to_numpy(np.float64)
        found = np.array([float("nan") if isinstance(a, bool) else table.number(a) for a in table.cells_of(column)])
        np.testing.assert_array_equal(found, numbers, err_msg=f"column {column}")
        texts = [str(cell).strip() for cell in table.cells_of(column)]
        same = [a == b.strip() for a, b, c in zip(texts, truth[column], numbers, strict=True) if np.isnan(c) and b]
        assert all(same) or name.endswith(".parquet"), f"column {column}"
    validated = [] if dataset.folds else [dataset.validation]
    used = sum(len(split.x) for split in (dataset.train, *validated, dataset.test))
    assert used + (len(dataset.calibration.x) if dataset.calibration else 0) == len(truth)
    if not dataset.classes:
        y = pd.to_numeric(truth[TARGET]).to_numpy(np.float64)
        np.testing.assert_array_equal(dataset.test.y[:, 0], y[dataset.test.rows - 1])


@contextmanager
def _limited(seconds: int) -> Iterator[None]:
    def late(number: int, frame: object) -> None:
        raise AssertionError(f"hangs, for {seconds} s")

    signal.signal(signal.SIGPROF, late)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def main() -> int:
    """Run N tables from SEED on; what is wrong is told, and kept as a file."""
    seed, n = int(os.environ.get("SEED") or time.time()), int(os.environ.get("N") or 500)
    print(f"SEED={seed} N={n}")
    counts = dict.fromkeys(("right", "refused", "wrong"), 0)
    for i in range(n):
        one = case(seed + i, int(os.environ.get("ROWS") or 100_000), 2000)
        with tempfile.TemporaryDirectory() as folder:
            try:
                with _limited(SECONDS):
                    counts[outcome(one, Path(folder))] += 1
            except Exception:
                counts["wrong"] += 1
                kept = Path(tempfile.gettempdir()) / f"fuzz-{seed + i}-{one.name}"
                kept.write_bytes(one.content)
                print(
                    f"SEED={seed + i} N=1: {one.label}; the table is {kept}", traceback.format_exc()[-1500:], sep="\n"
                )
        if (i + 1) % 50 == 0 or i + 1 == n:
            print(f"{i + 1}: {counts}", flush=True)
    return 1 if counts["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
