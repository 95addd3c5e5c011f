"""The `shoal` command: begin a study, check and plan it, show and compare results, predict, browse, track."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from shoal.pipeline.data.naming import FLAG
from shoal.pipeline.errors import REFUSED, guarded
from shoal.pipeline.paths import Paths

FORM = {
    "separator": r"what stands between cells: ',', ';', '|', ' ' or '\t'",
    "decimal": "'.' or ','",
    "thousands": "what groups digits: '.', ',', ' ' or \"'\"",
    "encoding": "such as latin-1",
    "header_row": "the number of the row with the names of the columns, or none",
}
"""What `shoal init` may be told of a text, by the keys of params.yaml."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command in the current folder; exit status 2 where the user's files or words are at fault."""
    words = _parser().parse_args(arguments)
    sys.exit(guarded(lambda: words.run(Paths(), words)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="shoal", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    words = (
        "Looks at the table DATA, says what it sees, and writes a folder in which `dvc repro` trains, evaluates and "
        "reports. Runs nothing."
    )
    command = commands.add_parser("init", help="begin a study of a table, in a folder of its own", description=words)
    command.add_argument("data", metavar="DATA", help="CSV or Parquet file; the study has a copy of it")
    words = "a new or empty folder; without it, one of the table's name in the current folder"
    command.add_argument("folder", metavar="FOLDER", nargs="?", type=Path, help=words)
    words = "columns to predict, or last for the last one"
    command.add_argument("--target", metavar="COLUMN", nargs="+", action="extend", default=[], help=words)
    words = "a file of rows to test on; those of DATA are to train on then. Without targets, its rows are predicted"
    command.add_argument("--test", metavar="FILE", help=words)
    command.add_argument("--validation", metavar="FILE", help="beside --test, a file of rows to choose networks on")
    words = "for a time series: train on the first rows in the order of this column, test on the last; no feature"
    command.add_argument("--order", metavar="COLUMN", help=words)
    form = command.add_argument_group("form of text", "Found in the file, unless given here.")
    for key, words in FORM.items():
        form.add_argument(f"--{key.replace('_', '-')}", metavar=key.partition("_")[0].upper(), help=words)
    command.set_defaults(run=_init)
    command = commands.add_parser("check", help="check params.yaml and the data it names; writes nothing")
    command.set_defaults(run=_check)
    words = (
        "Prints what `dvc repro` has ahead: networks that are known and to be trained, operations, time, memory and "
        "disk, sweep by sweep. Runs nothing but a calibration of well under a second, and writes nothing but that."
    )
    command = commands.add_parser("plan", help="what training takes, and how long", description=words)
    command.set_defaults(run=_plan)
    command = commands.add_parser("show", help="print the results of a sweep, or of all")
    command.add_argument("sweep", nargs="?", help="name of a sweep in params.yaml; all sweeps without it")
    command.set_defaults(run=_show)
    command = commands.add_parser("compare", help="compare two cells, or the results of two git revisions")
    for name in ("a", "b"):
        words = "SWEEP/CELL, CELL, a git revision, or workspace (the results as they are now)"
        command.add_argument(name, metavar=name.upper(), help=words)
    command.set_defaults(run=_compare)
    words = (
        "Writes the columns of INPUT as they are, before them row (the place of each row, from 1), behind them "
        "<target>_predicted for each target; of classes <target>_probability_<class> for each; <target>_spread where "
        "several networks answer, and <target>_low and <target>_high where params.yaml asks for an interval."
    )
    command = commands.add_parser("predict", help="predict for the rows of a table of features", description=words)
    command.add_argument("input", metavar="INPUT", help="CSV or Parquet file with the feature columns")
    command.add_argument("--output", required=True, metavar="OUT", type=Path, help="file to write, .csv or .parquet")
    command.add_argument("--network", metavar="ID", help="a network_id; without it, what was chosen on validation")
    words = "put NAME before the names of the columns that are added, where INPUT has one of them already"
    command.add_argument("--prefix", metavar="NAME", default="", help=words)
    words = f"add a column {FLAG}: the features that are outside it, with semicolons between; empty where none is"
    command.add_argument("--flag-range", action="store_true", help=words)
    command.set_defaults(run=_predict)
    command = commands.add_parser("ui", help="browse the results in MLflow on 127.0.0.1")
    command.add_argument("--port", type=int, default=5000, help="first port to try (5000)")
    command.set_defaults(run=_ui)
    command = commands.add_parser("track", help="send to MLflow what it lacks; MLFLOW_TRACKING_URI says where to")
    words = "only if tracking/receipt.json names another place than that"
    command.add_argument("--if-elsewhere", action="store_true", help=words)
    command.set_defaults(run=_track)
    words = (
        "info counts; verify reads every one; prune removes what no result of this study names, or another came after"
    )
    command = commands.add_parser("store", help="look after the networks that are kept once trained", description=words)
    command.add_argument("what", choices=["info", "verify", "prune"], help=words)
    command.set_defaults(run=_store)
    return parser


# What a command needs is imported when it runs: others start sooner, and whatever happens then is told by `guarded`.


def _init(paths: Paths, words: argparse.Namespace) -> int:
    from shoal.pipeline.begin.study import begin

    form = {key: value for key in FORM if (value := getattr(words, key)) is not None}
    begun = begin(words.data, words.folder, words.target, words.test, words.validation, words.order, form)
    for notice in begun.notices:
        print(notice, file=sys.stderr)
    print(*begun.lines, sep="\n")
    return 0


def _check(paths: Paths, words: argparse.Namespace) -> int:
    from shoal.pipeline import config
    from shoal.pipeline.study.check import check

    found = check(paths)
    for line in (*found.faults, *found.notices):
        print(line, file=sys.stderr)
    if found.faults:
        return REFUSED
    sweeps = config.load(paths).sweeps
    print(*found.plan, f"params.yaml: fine ({len(sweeps)} sweeps: {', '.join(sweeps)})", sep="\n")
    return 0


def _plan(paths: Paths, words: argparse.Namespace) -> int:
    from shoal.pipeline.study.check import check
    from shoal.pipeline.terminal.plan import plan

    found = check(paths)
    for line in (*found.faults, *found.notices):
        print(line, file=sys.stderr)
    if found.study is None:
        return REFUSED
    plan(paths, *found.study)
    return 0


def _show(paths: Paths, words: argparse.Namespace) -> int:
    from shoal.pipeline import config
    from shoal.pipeline.provenance import freshness
    from shoal.pipeline.terminal.show import show

    settings = config.load(paths)
    if words.sweep:
        settings.sweep(words.sweep)
    sweeps = [words.sweep] if words.sweep else list(settings.sweeps)
    show(paths, sweeps)
    freshness.tell(freshness.shown_outdated(paths, sweeps))
    return 0


def _compare(paths: Paths, words: argparse.Namespace) -> int:
    from shoal.pipeline import config
    from shoal.pipeline.provenance import freshness
    from shoal.pipeline.terminal.compare import compare

    sweeps = compare(paths, config.load(paths).seed, words.a, words.b)
    freshness.tell(freshness.outdated(paths, sweeps) if sweeps else [])
    return 0


def _predict(paths: Paths, words: argparse.Namespace) -> int:
    from shoal.pipeline import config
    from shoal.pipeline.provenance import freshness
    from shoal.pipeline.terminal.predict import Request, predict_file

    settings = config.load(paths)
    request = Request(words.input, words.output, words.network, words.prefix, words.flag_range)
    done = predict_file(paths, settings, request)
    print(*done.unforeseen, sep="\n", end="\n" * bool(done.unforeseen), file=sys.stderr)
    if done.outside:
        print(done.outside if words.flag_range else f"{done.outside}; --flag-range marks them", file=sys.stderr)
    if done.intervals:
        print(done.intervals, file=sys.stderr)
    print(f"{words.output}: {done.n_rows} rows")
    freshness.tell(freshness.network_outdated(paths, list(settings.sweeps), words.network))
    return 0


def _ui(paths: Paths, words: argparse.Namespace) -> int:
    from shoal.pipeline import config
    from shoal.pipeline.tracking import ui

    settings = config.load(paths)
    ui(paths, list(settings.sweeps), words.port, settings.tracking.granularity, settings.tracking.experiment)
    return 0


def _track(paths: Paths, words: argparse.Namespace) -> int:
    from shoal.pipeline import config, store
    from shoal.pipeline.tracking import destination

    place = destination.place(paths)
    if words.if_elsewhere and paths.receipt.exists() and store.read_json(paths.receipt).get("store") == place:
        return 0
    from shoal.pipeline import tracking

    settings = config.load(paths)
    wanted = settings.tracking
    sent = tracking.send(paths, list(settings.sweeps), wanted.granularity, wanted.experiment)
    print(f"{place}: {'has all results now' if sent else 'has all results already'}")
    return 0


def _store(paths: Paths, words: argparse.Namespace) -> int:
    from shoal.pipeline.terminal.kept import COMMANDS

    return COMMANDS[words.what](paths)
