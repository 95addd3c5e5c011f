"""Where the seconds of the whole study go: `dvc repro` in a fresh clone, stage by stage, with a warm kernel cache."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).parents[1]


def _stages(folder: Path) -> Iterator[tuple[str, float]]:
    """The name of each stage and the second at which it began; last, the end."""
    command = ["dvc", "repro", "--force"]
    start = time.perf_counter()
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("Running stage "):
                yield line.split("'")[1], time.perf_counter() - start
    if process.returncode:
        raise RuntimeError(f"dvc repro ended with {process.returncode} in {folder}")
    yield "", time.perf_counter() - start


def study() -> list[tuple[str, float]]:
    """Seconds of each stage, of DVC before the first, and in all, of the committed state; the second run of two."""
    with tempfile.TemporaryDirectory() as temporary:
        clone = Path(temporary) / "clone"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        list(_stages(clone))  # compiles what is not compiled yet
        shutil.rmtree(clone / ".shoal")  # what is trained already takes no time
        marks = list(_stages(clone))
    parts = [("DVC, before the first stage", marks[0][1])]
    parts += [(name, following - at) for (name, at), (_, following) in pairwise(marks)]
    return [*parts, ("in all", marks[-1][1])]
