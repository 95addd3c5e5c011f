"""Names in params.yaml and in tables that would lead out of the study's folder, and numbers that would be run."""

from __future__ import annotations

import ast
from pathlib import Path

import pandas as pd
import pytest

from shoal.pipeline.config import examine
from shoal.pipeline.paths import Paths
from shoal.pipeline.stages import data
from tests import studies
from tests.bad_params import GOOD

ROOT = Path(__file__).parent.parent
NAMES = [
    "../up",
    "..",
    ".",
    ".hidden",
    "a/b",
    "a\\b",
    "/up/x",
    "C:x",
    "-rf",
    "a b",
    "a\0b",
    "a\nb",
    "~",
    "$HOME",
    "é",
    "",
]
"""None of them a name of a sweep, of an architecture or of an experiment."""
RUNS_CODE = {"pickle", "cPickle", "dill", "joblib", "marshal", "shelve", "cloudpickle"}
WITH_PICKLES = {"kernels/compile/cache.py"}
"""Compiled kernels, in the user's own cache folder."""


@pytest.mark.parametrize("name", NAMES)
def test_no_name_is_a_path(tmp_path: Path, name: str) -> None:
    text = '"' + name.encode("unicode_escape").decode().replace('"', '\\"') + '"'
    for old, new in (
        ("  sizes:", f"  {text}:"),
        ("deep: dense", f"{text}: dense"),
        ("{granularity: network}", f"{{granularity: network, experiment: {text}}}"),
    ):
        assert old in GOOD
        (tmp_path / "params.yaml").write_text(GOOD.replace(old, new, 1), encoding="utf-8")
        [fault] = examine(Paths(tmp_path))[1]
        assert "\n" not in str(fault)
        assert fault.allowed.endswith("names of letters (a to z), digits, - and _, with a letter or digit first")


def test_columns_named_like_paths_are_columns(tmp_path: Path) -> None:
    root, columns = tmp_path / "study", ["../up", "/abs/x", "..", "a/../b", "t"]
    root.mkdir()
    paths = studies.write(root, {"sizes": studies.SIZES}, source="file", path="input/t.csv", targets=["t"])
    pd.DataFrame({name: range(i, 60 + i) for i, name in enumerate(columns)}).to_csv(root / "input/t.csv", index=False)
    data.run(paths)
    assert [path.name for path in tmp_path.iterdir()] == ["study"]
    assert {path.relative_to(root).parts[0] for path in root.rglob("*")} == {"params.yaml", "input", "data", "version"}


def test_nothing_is_unpickled_or_evaluated() -> None:
    """No module of shoal imports what loads objects, or calls what runs text."""
    for folder in ("kernels", "pipeline"):
        for path in (ROOT / folder).rglob("*.py"):
            if (name := path.relative_to(ROOT).as_posix()) in WITH_PICKLES:
                continue
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                imported = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                imported += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                called = node.func if isinstance(node, ast.Call) else None
                assert not RUNS_CODE & {module.partition(".")[0] for module in imported}, name
                assert not (isinstance(called, ast.Name) and called.id in ("eval", "exec", "__import__")), name
                keywords = {word.arg for word in node.keywords} if isinstance(node, ast.Call) else set()
                assert not keywords & {"allow_pickle", "shell"}, name
