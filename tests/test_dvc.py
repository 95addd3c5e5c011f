"""DVC watches every source file that a stage runs: nothing stale is ever taken for up to date."""

from __future__ import annotations

import ast
import json
import os
from collections.abc import Callable
from contextlib import chdir
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from dvc.exceptions import ReproductionError
from dvc.repo import Repo
from ruamel.yaml import YAML

from shoal.pipeline.provenance import hashes, versions
from shoal.pipeline.stages import _stage, data
from tests import studies

ROOT = Path(__file__).parent.parent
PIPELINE = ROOT / "pipeline"
STAGES = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]


def imported(path: Path) -> set[Path]:
    """Files of ours that the module at `path` imports, itself included, transitively."""
    found: set[Path] = set()
    todo = [path]
    while todo:
        module = todo.pop()
        if module not in found:
            found.add(module)
            todo += imported_by(module)
    return found


@cache
def imported_by(module: Path) -> list[Path]:
    """Files of ours that stand in the module's own imports."""
    found: list[Path] = []
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        places = [ROOT / name.removeprefix("shoal.").replace(".", "/") for name in names]
        files = [file for place in places for file in (place.with_suffix(".py"), place / "__init__.py")]
        found += [file for file in files if file.exists() and file.stat().st_size]
    return found


def listed(name: str, kind: str) -> list[str]:
    return [next(iter(path)) if isinstance(path, dict) else path for path in STAGES[name].get("do", STAGES[name])[kind]]


def room(name: Path) -> str:
    """The package that stands for a source file as a whole, except that stages stand one by one."""
    return name.as_posix() if name.parts[0] == "stages" else name.parts[0]


@pytest.mark.parametrize("stage", versions.STAGES)
def test_a_stage_depends_on_the_hash_of_the_sources_it_runs(stage: str) -> None:
    """Whatever it runs of the kernels: all of them are in each hash."""
    found = imported(PIPELINE / "stages" / f"{stage}.py")
    needed = {room(path.relative_to(PIPELINE)) for path in found if path.is_relative_to(PIPELINE)}
    files = {path.relative_to(PIPELINE) for path in PIPELINE.rglob("*.py")}
    sources = {path.relative_to(versions.ROOT) for path in versions.sources(stage) if path.suffix == ".py"}
    assert sources == {name for name in files if room(name) in needed}
    assert f"version/{stage}.txt" in listed(stage, "deps")


def test_the_data_are_made_anew_after_every_edit_of_a_source() -> None:
    assert set(STAGES) == {"data", *versions.STAGES}
    assert {"kernels", "pipeline"} <= set(listed("data", "deps"))
    assert {f"version/{name}.txt" for name in versions.STAGES} <= set(listed("data", "outs"))


def test_an_edit_of_a_source_is_in_the_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is imported inside a function, by a package around it, or that is no module, too."""
    files = {
        "stages/track.py": "def run():\n    from shoal.pipeline.a.deep.one import x as y\n",
        "a/deep/__init__.py": "from shoal.pipeline import (\n    c,\n)\n",
        **dict.fromkeys(("a/deep/one.py", "a/text.md", "b.py", "c.py", "stages/report.py"), ""),
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    for module in (versions, hashes):
        monkeypatch.setattr(module, "ROOT", tmp_path)
    found = {path.relative_to(tmp_path).as_posix() for path in versions.sources("track") if path.is_file()}
    assert found == set(files) - {"b.py", "stages/report.py"}
    before = hashes.of_sources(versions.sources("track"))
    (tmp_path / "a/text.md").write_text("edited", encoding="utf-8")
    assert hashes.of_sources(versions.sources("track")) != before


def test_dvc_deletes_no_folder() -> None:
    """It empties an output before a stage runs: a folder could hold files of the user's, or of a stage that ends."""
    for name, stage in STAGES.items():
        for out in stage.get("do", stage)["outs"]:
            path, options = next(iter(out.items())) if isinstance(out, dict) else (out, {})
            assert Path(path).suffix or options.get("persist"), (name, path)


def stale(root: Path) -> list[str]:
    """Stages that `dvc repro` would begin with."""
    with chdir(root), Repo() as repo:
        return sorted(repo.status())


def commit(root: Path, *stages: str) -> None:
    """Let DVC take these stages, or all, as they are for up to date."""
    with chdir(root), Repo() as repo:
        for stage in stages or (None,):
            repo.commit(stage, force=True)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data, and a made-up file in the place of every other one that dvc.yaml names; all of it up to date."""
    root = tmp_path_factory.mktemp("study")
    sweeps = {"sizes": studies.SIZES, "ridge": studies.RIDGE}
    paths = studies.write(root, sweeps, report={"title": "Mine", "parts": {"ridge": "1"}})
    data.run(paths)
    (root / "dvc.yaml").write_text((ROOT / "dvc.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    for stage in STAGES.values():
        lists = stage.get("do", stage)
        for path in [*lists["outs"], *lists["deps"]]:
            text = next(iter(path)) if isinstance(path, dict) else path
            for name in sweeps:
                file = root / text.replace("${key}", name).replace("${data.path}", "input/example.csv")
                if not file.exists():
                    file.parent.mkdir(parents=True, exist_ok=True)
                    file.write_text(text)
    Repo.init(str(root), no_scm=True).close()
    commit(root)
    assert stale(root) == []
    return root


def edited(root: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    params = json.loads((root / "params.yaml").read_text(encoding="utf-8"))
    edit(params)
    (root / "params.yaml").write_text(json.dumps(params), encoding="utf-8")


@pytest.mark.parametrize(
    "edit",
    [
        lambda params: params["report"].update(title="Another"),
        lambda params: params.pop("report"),
    ],
)
def test_words_for_the_report_make_data_and_report_anew_and_nothing_else(
    study: Path, edit: Callable[[dict[str, Any]], object]
) -> None:
    """Each edit after the one before; without a block, too."""
    edited(study, edit)
    assert stale(study) == ["data"]
    data.run(studies.Paths(study))
    commit(study, "data")
    assert stale(study) == ["report"]
    commit(study, "report")


def test_where_networks_are_trained_makes_nothing_anew_behind_the_data(study: Path) -> None:
    """DVC cannot leave a key out of a file that it watches."""
    before = studies.files(study / "data")
    edited(study, lambda params: params.update(execution={"engine": "dask", "address": "local"}))
    assert stale(study) == ["data"]
    data.run(studies.Paths(study))
    assert studies.files(study / "data") == before
    commit(study, "data")
    assert stale(study) == []


def test_another_choice_makes_predictions_and_report_anew(study: Path) -> None:
    edited(study, lambda params: params.update(choose={"best": 2}))
    assert stale(study) == ["data"]
    data.run(studies.Paths(study))
    commit(study, "data")
    assert stale(study) == ["predict", "report"]
    commit(study, "predict", "report")


def test_an_edit_of_a_sweep_gives_the_same_data(study: Path) -> None:
    edited(study, lambda params: params["sweeps"]["ridge"].update(width=5))
    files = studies.files(study / "data")
    assert "data" in stale(study)
    data.run(studies.Paths(study))
    assert studies.files(study / "data") == files
    commit(study, "data")
    assert stale(study) == ["evaluate", "gradcheck", "predict", "report", "sweep@ridge", "track"]


def test_what_is_edited_while_stages_run_is_recorded_as_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Evaluated with other sweeps than the data stage has hashed: brought back, they would pass for evaluated."""
    monkeypatch.chdir(tmp_path)
    data.run(studies.write(Path(), {"ridge": studies.RIDGE}))
    monkeypatch.setenv("DVC_STAGE", "evaluate")
    _stage.main("evaluate", lambda paths: {})
    assert capsys.readouterr().out == "evaluate: 0.0 s\n"
    edited(Path(), lambda params: params["sweeps"]["ridge"].update(width=5))
    assert studies.refusal(lambda: _stage.main("evaluate", lambda paths: {}), capsys) == (
        "version/evaluate.txt: found sources or sweeps that changed since the stage data ran; run `dvc repro` again\n"
    )
    monkeypatch.setenv("DVC_STAGE", "sweep@ridge")
    _stage.main("sweep-ridge", lambda paths: {})


@pytest.mark.filterwarnings("ignore:_NoneStep.value will soon:DeprecationWarning")
def test_a_second_dvc_is_told_who_is_at_work_and_runs_nothing(study: Path) -> None:
    """Of two at once, as of a stage that one of them left behind (test_stage_kills.py): DVC keeps a list of who writes
    what, which those that were killed drop out of."""
    edited(study, lambda params: params.update(seed=5))
    lock = study / ".dvc" / "tmp" / "rwlock"
    other = {"pid": os.getppid(), "cmd": "dvc repro"}
    lock.write_text(json.dumps({"write": {str(study / "data" / "receipt.json"): other}}), encoding="utf-8")
    before = studies.files(study)
    with chdir(study), Repo() as repo, pytest.raises(ReproductionError) as end:
        repo.reproduce("data")
    said = str(end.value.__cause__)
    assert f"receipt.json' is busy, it is being blocked by:\n  (PID {other['pid']}): dvc repro\n" in said
    assert studies.files(study) == before
    other["pid"] = 2**22 + 1  # beyond the last that there may be
    lock.write_text(json.dumps({"write": {str(study / "data" / "receipt.json"): other}}), encoding="utf-8")
    commit(study, "data")
    assert "data" not in stale(study)
