"""The `shoal` command: check the configuration, show and compare results, predict, browse."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from pipeline.errors import guarded
from pipeline.paths import Paths


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command in the current folder; exit status 2 where the user's files or words are at fault."""
    words = _parser().parse_args(arguments)
    sys.exit(guarded(lambda: words.run(Paths(), words)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="shoal", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser("check", help="check params.yaml and the data it names; writes nothing")
    command.set_defaults(run=_check)
    command = commands.add_parser("show", help="print the results of a sweep, or of all")
    command.add_argument("sweep", nargs="?", help="name of a sweep in params.yaml; all sweeps without it")
    command.set_defaults(run=_show)
    command = commands.add_parser("compare", help="compare two cells, or the results of two git revisions")
    for name in ("a", "b"):
        words = "SWEEP/CELL, CELL, a git revision, or workspace (the results as they are now)"
        command.add_argument(name, metavar=name.upper(), help=words)
    command.set_defaults(run=_compare)
    command = commands.add_parser("predict", help="predict for the rows of a table of features")
    command.add_argument("input", metavar="INPUT", help="CSV or Parquet file with the feature columns")
    command.add_argument("--output", required=True, metavar="OUT.csv", type=Path, help="CSV file to write")
    command.add_argument("--network", metavar="ID", help="a network_id; without it, the one chosen on validation")
    command.set_defaults(run=_predict)
    command = commands.add_parser("ui", help="browse the results in MLflow on 127.0.0.1")
    command.add_argument("--port", type=int, default=5000, help="first port to try (5000)")
    command.set_defaults(run=_ui)
    return parser


# What a command needs is imported when it runs: others start sooner, and whatever happens then is told by `guarded`.


def _check(paths: Paths, words: argparse.Namespace) -> int:
    from pipeline import config
    from pipeline.check import check

    faults = check(paths)
    for fault in faults:
        print(fault, file=sys.stderr)
    if not faults:
        sweeps = config.load(paths).sweeps
        print(f"params.yaml: fine ({len(sweeps)} sweeps: {', '.join(sweeps)})")
    return 2 if faults else 0


def _show(paths: Paths, words: argparse.Namespace) -> int:
    from pipeline import config
    from pipeline.show import show

    settings = config.load(paths)
    if words.sweep:
        settings.sweep(words.sweep)
    show(paths, [words.sweep] if words.sweep else list(settings.sweeps))
    return 0


def _compare(paths: Paths, words: argparse.Namespace) -> int:
    from pipeline import config
    from pipeline.compare import compare

    compare(paths, config.load(paths).seed, words.a, words.b)
    return 0


def _predict(paths: Paths, words: argparse.Namespace) -> int:
    from pipeline import config
    from pipeline.predictions import predict_file

    rows = predict_file(paths, list(config.load(paths).sweeps), words.input, words.output, words.network)
    print(f"{words.output}: {rows} rows")
    return 0


def _ui(paths: Paths, words: argparse.Namespace) -> int:
    from pipeline import config
    from pipeline.tracking import ui

    try:
        settings = config.load(paths)
        ui(paths, list(settings.sweeps), words.port, settings.tracking.granularity)
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 1
    return 0
