"""The `shoal` command: check the configuration, show and compare results, predict, browse."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from pipeline import config, freshness
from pipeline.check import check
from pipeline.config import ConfigError
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


def _check(paths: Paths, words: argparse.Namespace) -> int:
    faults = check(paths)
    for fault in faults:
        print(fault, file=sys.stderr)
    if not faults:
        sweeps = config.load(paths).sweeps
        print(f"params.yaml: fine ({len(sweeps)} sweeps: {', '.join(sweeps)})")
    return 2 if faults else 0


def _show(paths: Paths, words: argparse.Namespace) -> int:
    from pipeline.show import show  # pandas takes its time: `check` starts without it

    sweeps = _sweeps(paths, words.sweep)
    show(paths, sweeps)
    _tell(freshness.outdated(paths, sweeps))
    return 0


def _compare(paths: Paths, words: argparse.Namespace) -> int:
    from pipeline.compare import compare

    sweeps = compare(paths, config.load(paths).seed, words.a, words.b)
    _tell(freshness.outdated(paths, sweeps) if sweeps else [])
    return 0


def _predict(paths: Paths, words: argparse.Namespace) -> int:
    from pipeline.predictions import predict_file

    sweeps = list(config.load(paths).sweeps)
    rows = predict_file(paths, sweeps, words.input, words.output, words.network)
    print(f"{words.output}: {rows} rows")
    _tell(freshness.network_outdated(paths, sweeps, words.network))
    return 0


def _ui(paths: Paths, words: argparse.Namespace) -> int:
    from pipeline.tracking import ui

    try:
        settings = config.load(paths)
        _tell(freshness.outdated(paths, list(settings.sweeps)))
        ui(paths, list(settings.sweeps), words.port, settings.tracking.granularity)
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _tell(changed: list[str]) -> None:
    """One line on what has changed since the results were made, where anything has."""
    if changed:
        print(
            f"not up to date: {', '.join(changed)} changed after these results; `dvc repro` renews them",
            file=sys.stderr,
        )


def _sweeps(paths: Paths, name: str | None) -> list[str]:
    sweeps = list(config.load(paths).sweeps)
    if name is None:
        return sweeps
    if name not in sweeps:
        raise ConfigError([config.Fault("", f"no sweep '{name}'", ", ".join(sweeps))])
    return [name]
