"""Every command and every stage in a broken world: one line that names the thing, status 2, no file half-written."""

from __future__ import annotations

import importlib
import json
import os
import resource
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from ruamel.yaml import YAML

from shoal.pipeline import store
from shoal.pipeline.paths import Paths
from shoal.pipeline.stages import _stage, gradcheck
from shoal.pipeline.terminal import cli
from tests import studies
from tests.made_up import copy_store

SWEEP = studies.SIZES | {"depth": 1, "replicates": 2}
DATA = ["data/data.json", *(f"data/{split}.parquet" for split in ("train", "validation", "test", "grid"))]
RESULTS = [f"results/sizes/{table}.parquet" for table in ("runs", "curves", "weights")]
RUNS, CURVES, WEIGHTS = RESULTS
TABLES = [f"evaluation/{table}.parquet" for table in ("networks", "cells", "contrasts")]
NETWORKS, CELLS, CONTRASTS = TABLES
CHOSEN, GRADIENTS, TABLE = "predictions/chosen.json", "gradcheck/gradcheck.parquet", "input/example.csv"
PREDICT = "shoal predict input/example.csv --output new/out.csv"
TRACKED = [CELLS, CHOSEN, "data/data.json", "data/train.parquet", *RESULTS]

READS: dict[str, list[str]] = {
    "shoal check": [TABLE],
    "shoal plan": [TABLE],
    "shoal show": [CELLS],
    "shoal compare relu-d1-w003-lr0.02 relu-d1-w005-lr0.02": [NETWORKS],
    "shoal compare workspace workspace": [NETWORKS, "data/train.parquet", "data/test.parquet"],
    PREDICT: [*DATA, CHOSEN, RUNS, WEIGHTS, TABLE],
    "shoal ui": TRACKED,
    "shoal track": TRACKED,
    "data": [TABLE],
    "gradcheck": DATA,
    "sweep sizes": DATA,
    "evaluate": [*DATA, RUNS, WEIGHTS],
    "predict": [*DATA, RUNS, WEIGHTS, NETWORKS],
    "report": [*DATA, "data/study.json", *RESULTS, *TABLES, GRADIENTS, CHOSEN],
    "track": TRACKED,
}
"""What each command (after `shoal`) and each stage cannot do without, beside params.yaml."""

pytestmark = pytest.mark.filterwarnings("default")  # MLflow and what it uses warn of their own ways

STAGES = YAML(typ="safe").load((studies.ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
OUTS = {
    name: [out if isinstance(out, str) else next(iter(out)) for out in stage.get("do", stage)["outs"]]
    for name, stage in STAGES.items()
}
WRITES = {line: [out.replace("${key}", "sizes") for out in OUTS.get(line.split()[0], ())] for line in READS}
WRITES[PREDICT] = ["new/out.csv"]
WRITERS = [line for line, files in WRITES.items() if files]
IN_THE_STORE = ["shoal ui", "shoal track", "track"]
"""Programs that write to the MLflow store first."""
NO_FOLDER = {
    PREDICT: "--output: found 'new/out.csv', in '{here}/new', which is no folder; "
    "allowed: a file in a folder that exists\n",
}
A_FOLDER = {PREDICT: "--output: found 'new/out.csv', a folder; allowed: the name of a file in it\n"}
"""What is said of a place that the user chose for an output; of others the same is said for all."""


def test_every_command_and_every_stage_is_here() -> None:
    commands = next(iter(cli._parser()._subparsers._group_actions)).choices  # type: ignore[union-attr]
    named = [line.split()[:2] for line in READS]
    others = {"init", "store"}  # which read no params.yaml: tests/test_begin.py, tests/test_trained_once.py
    assert {words[1] for words in named if words[0] == "shoal"} == set(commands or ()) - others
    assert {words[0] for words in named if words[0] != "shoal"} == set(STAGES)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, blank: Path) -> Path:
    root = tmp_path_factory.mktemp("study")
    paths = studies.complete(
        root, {"sizes": SWEEP}, report={"title": "x" * 100}, source="file"
    )  # long: a flip falls into it, not into a key
    gradcheck.run(paths)
    copy_store(blank, root / "mlflow.db")
    (root / "new").mkdir()
    return root


@pytest.fixture
def study(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of a finished study as the current folder."""
    shutil.copytree(finished, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    start = subprocess.Popen

    def no_server(command: list[str], *words: Any, **options: Any) -> subprocess.Popen[bytes]:
        assert "mlflow" not in command, "this world is not broken enough"
        return start(command, *words, **options)

    monkeypatch.setattr(subprocess, "Popen", no_server)
    return Path()


def run(line: str, capsys: pytest.CaptureFixture[str]) -> str:
    """What a program says that is refused with status 2; it prints no result and changes no file of the study."""
    before = kept()
    first, *words = line.split()
    with pytest.raises(SystemExit) as end:
        if first == "shoal":
            cli.main(words)
        else:
            module = STAGES[first].get("do", STAGES[first])["cmd"].split()[2]
            _stage.main("-".join([first, *words]), importlib.import_module(module).run, *words)
    out, err = capsys.readouterr()
    assert end.value.code == 2, err
    assert out == "" or (first == "sweep" and " known" in out and out.count("\n") == 1)  # what it has ahead of it
    assert kept() == before
    assert "Traceback" not in err
    return err


def kept() -> dict[str, bytes]:
    """Every file but those of the MLflow store and its lock, which may have begun."""
    return {
        name: content
        for name, content in studies.files(Path()).items()
        if not name.startswith(("mlflow.db", "mlartifacts/", "logs/track.lock"))
    }


def missing(path: Path) -> None:
    path.unlink()


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def truncated(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2] + (b"\xff" if path.suffix == ".csv" else b""))


def flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4 if path.suffix != ".csv" else 128
    path.write_bytes(content)


def of_an_older_version(path: Path) -> None:
    """Without the last of the columns or keys that are read of it."""
    if path.suffix == ".parquet":
        table = pd.read_parquet(path)
        store.write_table(path, table.drop(columns=[*store.HELD.get(path.name, table.columns)][-1]))
    elif path.suffix == ".json":
        value = store.read_json(path)
        del value[[*store.HELD[path.name]][-1]]
        store.write_sealed_json(path, value)
    else:
        path.write_text("angle_deg\n1\n", encoding="utf-8")


BREAKS: dict[Callable[[Path], None], str] = {
    missing: "dvc repro",
    a_folder: "",
    truncated: "this file is damaged; delete it, and `dvc repro` restores it",
    flipped: "this file is damaged; delete it, and `dvc repro` restores it",
    of_an_older_version: "`dvc repro` makes it anew",
}
"""What may befall a file, and the way out that is told of a result file."""


@pytest.mark.parametrize("broken", BREAKS)
@pytest.mark.parametrize("line", READS)
def test_a_broken_input_is_named_in_one_line(
    line: str, broken: Callable[[Path], None], study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in READS[line]:
        path = Path(name)
        if broken is of_an_older_version and path.parent.name == "data" and DATA[0] not in READS[line]:
            continue  # data.json alone knows the columns of the tables beside it
        content = path.read_bytes()
        broken(path)
        said = run(line, capsys)
        assert name in said
        if path.suffix != ".csv":  # the user's own table may have many faults
            assert said.count("\n") == 1
            assert BREAKS[broken] in said
        if path.is_dir():
            path.rmdir()
        path.write_bytes(content)


@pytest.mark.parametrize("broken", [missing, a_folder, truncated])
@pytest.mark.parametrize("line", READS)
def test_so_is_params_yaml(
    line: str, broken: Callable[[Path], None], study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken(Path("params.yaml"))
    said = run(line, capsys)
    assert said.startswith("params.yaml: ")
    assert said.count("\n") == 1


@pytest.mark.parametrize("line", WRITERS)
def test_a_file_in_the_place_of_an_output_folder(line: str, study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for folder in {Path(name).parent if Path(name).suffix else Path(name) for name in WRITES[line]}:
        aside = study / "aside"
        if folder.exists():
            folder.rename(aside)
        folder.parent.mkdir(exist_ok=True)
        folder.write_text("mine", encoding="utf-8")
        said = NO_FOLDER.get(line, "{folder}: found a file; allowed: a folder; move the file of this name away\n")
        assert run(line, capsys) == said.format(folder=folder, here=Path.cwd())
        folder.unlink()
        if aside.exists():
            aside.rename(folder)


@pytest.mark.parametrize("line", WRITERS)
def test_a_folder_in_the_place_of_an_output(line: str, study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in WRITES[line]:
        if Path(name).suffix:
            Path(name).unlink(missing_ok=True)
            Path(name).mkdir(parents=True)
            said = A_FOLDER.get(line, f"{name}: found a folder; allowed: the name of a file\n")
            assert run(line, capsys) == said
            Path(name).rmdir()


@contextmanager
def full_disk() -> Iterator[None]:
    """No file can grow beyond 64 bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("line", [line for line in WRITERS if line not in IN_THE_STORE])
def test_a_full_disk(line: str, study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with full_disk():
        said = run(line, capsys)
    assert said.count("\n") == 1
    assert any(said.startswith((name, str(Path(name).resolve()))) for name in WRITES[line])
    assert said.endswith("found file too large; allowed: a larger limit on the size of files (ulimit -f)\n")


@pytest.mark.parametrize("line", IN_THE_STORE)
def test_a_full_disk_below_the_store(line: str, study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with full_disk():
        said = run(line, capsys)
    found = "a full disk, or a limit on the size of files"
    assert said == f"mlflow.db: found {found}; allowed: free some space and run the same command again\n"


@pytest.mark.parametrize("line", IN_THE_STORE)
def test_a_dead_server(
    line: str, study: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        server = f"http://127.0.0.1:{probe.getsockname()[1]}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    began = time.monotonic()
    said = run(line, capsys)
    assert said.startswith(f"{server}: found nothing that answers; allowed: the address of an MLflow server that runs")
    assert said.count("\n") == 1
    assert time.monotonic() - began < 10


def test_a_disk_that_fills_up_among_the_files_leaves_each_old_or_new(
    study: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The second sweep has other curves than the first, and no room for its weights."""
    params = json.loads(Path("params.yaml").read_text(encoding="utf-8"))
    params["sweeps"]["sizes"]["steps"] = 30
    Path("params.yaml").write_text(json.dumps(params), encoding="utf-8")
    before, write = kept(), store.files._write_groups

    def write_some(file: Any, parts: Any) -> None:
        if "weights" not in file.name:
            return write(file, parts)
        file.write(100 * b"x")
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(store.files, "_write_groups", write_some)
    with pytest.raises(SystemExit):
        _stage.main("sweep-sizes", importlib.import_module("shoal.pipeline.stages.sweep").run, "sizes")
    assert capsys.readouterr().err == (
        f"{WEIGHTS}: found no space left on device; allowed: free some space and run the same command again\n"
    )
    after = kept()
    assert after.keys() == before.keys()
    assert {name for name in after if after[name] != before[name]} == {RUNS, CURVES}
    assert store.read_table(Paths().curves("sizes"))["step"].max() == 30
