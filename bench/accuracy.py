"""`python -m bench.accuracy TABLE...`: predictions of the study that `shoal init` writes beside scikit-learn's.

TABLE is a file whose last column is the target, or `diabetes`, `breast_cancer` or `digits`, which scikit-learn has;
all other columns are numbers. For each split the rows of the table are put in another order, and the study is made and
run, unedited: its own split of these rows is that of both sides. scikit-learn's models are fitted to what the study
trains and validates on; both sides predict for its test rows, and rows that the study keeps for intervals are lost to
both. Written to docs/accuracy.md after each split of a table, beside the other splits and tables that logs/ has of
earlier runs: delete them there where what they show has changed. What scikit-learn's models reached is kept there too,
by the rows and the model, so that a rule may be tried again without them.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits

from bench import accuracy_peers
from bench.__main__ import ROOT, machine
from bench.accuracy_page import SHOAL, render
from bench.accuracy_peers import Fold
from shoal.pipeline.begin.texts import stem
from shoal.pipeline.data import readers

PAGE = ROOT / "docs" / "accuracy.md"
KEPT = ROOT / "logs" / "accuracy"
"""Results of scikit-learn's models, by the rows and the model: nothing of shoal's changes them."""
RESULTS = KEPT / "results.json"
"""Of all models: what `split` returned, by tables and numbers of splits."""
LOADED = {"diabetes": load_diabetes, "breast_cancer": load_breast_cancer, "digits": load_digits}


def split(name: str, columns: list[str], rows: list[tuple[str, ...]], number: int) -> dict[str, Any]:
    """Errors and CPU seconds of all models on one split of the rows, by their names; how many rows went where."""
    order = np.random.default_rng(number).permutation(len(rows))
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        _write(root / "t.csv", columns, [rows[i] for i in order])
        before = _children()
        _run(root, "shoal", "init", "t.csv", "study", "--target", columns[-1])
        _run(root / "study", "dvc", "repro", "--quiet", "predict")
        fold = Fold(root / "study")
        fold.test[fold.features].to_csv(root / "study" / "new.csv", index=False)
        _run(root / "study", "shoal", "predict", "new.csv", "--output", "out.csv")
        seconds = {SHOAL: _children() - before}
        predicted = pd.read_csv(root / "study" / "out.csv")[fold.columns].to_numpy().squeeze()
    peers = accuracy_peers.measure(fold, name, number, KEPT)
    errors = {SHOAL: fold.error(predicted)} | {model: error for model, (error, _) in peers.items()}
    seconds |= {model: used for model, (_, used) in peers.items()}
    sizes = {"rows": len(rows), "fitted": len(fold.fitted), "test": len(fold.test), "features": len(fold.features)}
    return {"errors": errors, "seconds": seconds, "is_of_classes": fold.is_of_classes, **sizes}


def _write(path: Path, columns: list[str], rows: list[tuple[str, ...]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([columns, *rows])


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _run(folder: Path, *words: str) -> None:
    """A command as a user runs it; its own words are shown where it fails."""
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(words)}: {done.stdout}{done.stderr}")


def read(name: str) -> tuple[str, list[str], list[tuple[str, ...]]]:
    """A table: what to call it, its columns and its rows, each cell as its file has it."""
    if name in LOADED:
        frame = LOADED[name](as_frame=True, **({"scaled": False} if name == "diabetes" else {})).frame
        return name, list(frame.columns), list(frame.astype(str).itertuples(index=False, name=None))
    table = readers.read(Path(), name, "")
    return stem(name), table.columns, list(zip(*table.content.to_pydict().values(), strict=True))


def _results() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.is_file() else {}
    return found


def _keep(name: str, number: int, found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """All results, this one among them."""
    results = _results()
    results.setdefault(name, {})[str(number)] = found
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=1, sort_keys=True), encoding="utf-8")
    return results


def main() -> None:
    """Measure split after split of every table, and write the page."""
    parser = argparse.ArgumentParser(prog="bench.accuracy", description=__doc__)
    parser.add_argument("tables", metavar="TABLE", nargs="+")
    parser.add_argument("--splits", type=int, default=10)
    parser.add_argument("--first", type=int, default=0, help="number of the first split, to go on after others")
    words = parser.parse_args()
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    facts, tables = machine(), list(map(read, words.tables))
    for number in range(words.first, words.splits):
        for name, columns, rows in tables:
            found = split(name, columns, rows, number)
            print(f"{name}, split {number}: {found['errors']}", flush=True)
            results = {table: list(splits.values()) for table, splits in _keep(name, number, found).items()}
            PAGE.write_text(render(results, words.splits, facts), encoding="utf-8")


if __name__ == "__main__":
    main()
