"""What the stages behind the data depend on beside files, as a hash that DVC watches in the place of all of it.

DVC reads and writes dvc.lock anew after each stage, at 0.4 ms a line: with every source and all sweeps below each of
twelve stages, that took half of its time.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from functools import cache
from pathlib import Path

from shoal.pipeline import ancestors, store
from shoal.pipeline.errors import OutOfDateError
from shoal.pipeline.paths import Paths
from shoal.pipeline.provenance.hashes import ROOT, of_sources, read_params

SWEEP = "sweep"
"""The one stage that depends on its own block of `sweeps` alone, which DVC watches in params.yaml."""
STAGES = (SWEEP, "gradcheck", "evaluate", "predict", "report", "track")
_PACKAGE = "shoal.pipeline"
_IMPORT = re.compile(rf"^ *from ({re.escape(_PACKAGE)}\S*) import (\([^)]+\)|.+)$", re.MULTILINE)
_NAME = re.compile(r"\w+")


def write(paths: Paths) -> None:
    """Write version/<stage>.txt: the hash of its sources and, but for a sweep, that of all sweeps in params.yaml."""
    for stage in STAGES:
        store.write_text(paths.version(stage), _of(paths, stage))


def refuse_overtaken(paths: Paths) -> None:
    """Raise OutOfDateError where DVC runs a stage that is not what the data stage wrote: it would record that one."""
    words = re.split("[:@]", os.environ.get(ancestors.STAGE, ""))  # such as sweep@sizes
    for name in STAGES:
        if name in words and (path := paths.version(name)).is_file() and path.read_bytes() != _of(paths, name).encode():
            found = "sources or sweeps that changed since the stage data ran"
            raise OutOfDateError(f"{paths.below_root(path)}: found {found}; run `dvc repro` again")


def _of(paths: Paths, stage: str) -> str:
    lines = [f"sources {of_sources(sources(stage))}"]
    if stage != SWEEP:
        sweeps = json.dumps(read_params(paths).get("sweeps"), sort_keys=True)
        lines.append(f"sweeps {hashlib.sha256(sweeps.encode()).hexdigest()}")
    return "".join(f"{line}\n" for line in lines)


def sources(stage: str) -> set[Path]:
    """Files of the pipeline that a stage runs: the rooms, as a whole, of all that it imports; of the stages its own."""
    modules, found = _modules(), set[Path]()
    todo = [f"{_PACKAGE}.stages.{stage}"]
    while todo:
        name = todo.pop()
        if (path := modules.pop(name, None)) is not None:
            found.add(path)
            todo += [name.rpartition(".")[0], *_imported(path)]  # the package around it is run first
    alone = (ROOT, ROOT / "stages")
    rooms = {path if path.parent in alone else ROOT / path.relative_to(ROOT).parts[0] for path in found}
    return {file for room in rooms for file in (room.rglob("*") if room.is_dir() else [room])}


def _modules() -> dict[str, Path]:
    """The files of the pipeline's modules, by the names that they are imported by."""
    parts = {path: path.relative_to(ROOT).with_suffix("").parts for path in ROOT.rglob("*.py")}
    return {".".join([_PACKAGE, *names]).removesuffix(".__init__"): path for path, names in parts.items()}


@cache
def _imported(module: Path) -> list[str]:
    """What stands in a module's own imports: modules of the pipeline, and what they may have instead."""
    found = []
    for package, names in _IMPORT.findall(module.read_text(encoding="utf-8")):
        found += [package, *(f"{package}.{name}" for name in _NAME.findall(names))]
    return found
