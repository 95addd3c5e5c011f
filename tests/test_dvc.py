"""dvc.yaml names every source file that a stage runs: nothing stale is ever taken for up to date."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parent.parent
STAGES = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]


def dependency(path: Path) -> str:
    """What stands in dvc.yaml for a source file: its package as a whole, except that stages are listed one by one."""
    name = path.relative_to(ROOT)
    if name.parts[0] == "kernels":
        return "kernels"
    return name.as_posix() if name.parts[1] == "stages" else "/".join(name.parts[:2])


def imported(path: Path) -> set[Path]:
    """Files of ours that the module at `path` imports, itself included, transitively."""
    found: set[Path] = set()
    todo = [path]
    while todo:
        module = todo.pop()
        if module in found:
            continue
        found.add(module)
        for node in ast.walk(ast.parse(module.read_text())):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
            else:
                continue
            places = [ROOT / name.removeprefix("shoal.").replace(".", "/") for name in names]
            files = [file for place in places for file in (place.with_suffix(".py"), place / "__init__.py")]
            todo += [file for file in files if file.exists() and file.stat().st_size]
    return found


@pytest.mark.parametrize("name", STAGES)
def test_stage_depends_on_the_sources_it_runs(name: str) -> None:
    stage = STAGES[name].get("do", STAGES[name])
    module = stage["cmd"].split()[2]
    needed = {dependency(path) for path in imported(ROOT / (module.removeprefix("shoal.").replace(".", "/") + ".py"))}
    listed = {dep for dep in stage["deps"] if dep.startswith(("kernels", "pipeline"))}
    assert listed == needed


def test_dvc_deletes_no_folder() -> None:
    """It empties an output before a stage runs: a folder could hold files of the user's, or of a stage that ends."""
    for name, stage in STAGES.items():
        for out in stage.get("do", stage)["outs"]:
            path, options = next(iter(out.items())) if isinstance(out, dict) else (out, {})
            assert Path(path).suffix or options.get("persist"), (name, path)
