"""The folder of a new study: made whole or not at all, and a DVC project, with git or without."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from shoal.pipeline.config import ConfigError, Fault
from shoal.pipeline.config.faults import cut

LAST = "params.yaml"
"""What makes a folder a study, where it is to be moved into one that is there already."""


def refuse(folder: Path, tables: Sequence[Path]) -> None:
    """Raise ConfigError where no study can be made at `folder`: beside the tables, and git's, nothing is there.

    What a user has there is never replaced.
    """
    found = ""
    if folder.is_dir():
        others = [
            path.name
            for path in folder.iterdir()
            if path.name != ".git" and not any(_same(path, table) for table in tables)
        ]
        if others:
            found = f"a folder that is not empty ({cut(', '.join(sorted(others)))})"
    elif folder.exists() or folder.is_symlink():
        found = "a file of this name"
    elif not folder.parent.is_dir():
        found = f"no folder '{folder.parent}' to make it in"
    if not found and not os.access(folder if folder.is_dir() else folder.parent, os.W_OK | os.X_OK):
        found = "a place that may not be written"
    if found:
        allowed = "a new folder, or an empty one; another name behind that of the table"
        raise ConfigError([Fault("", found, allowed, str(folder))])


@contextmanager
def whole(folder: Path) -> Iterator[Path]:
    """A temporary folder that becomes `folder` when the block ends, and is removed where it does not end well."""
    is_there = folder.is_dir()
    temporary = (folder if is_there else folder.parent) / f".{folder.resolve().name}.{os.getpid()}.tmp"
    try:
        temporary.mkdir()
        yield temporary
        if is_there:  # it may be the folder that a shell is in, so that no other can take its place
            _move_into(folder, temporary)
        else:
            temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _move_into(folder: Path, temporary: Path) -> None:
    """Move what is not there yet; all of it, or nothing."""
    moved: list[Path] = []
    try:
        for path in sorted(temporary.iterdir(), key=lambda path: path.name == LAST):
            if not (folder / path.name).exists():
                moved.append(path.rename(folder / path.name))
    except BaseException:
        for path in moved:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        raise


def make_dvc_project(folder: Path, with_git: bool) -> None:
    """What `dvc init` makes, with --subdir where git has the folder, else with --no-scm; nothing is sent anywhere.

    Written here, since `dvc init` takes seconds, and adds to git's index what would be elsewhere a moment later.
    """
    lines = [
        "[core]",
        "    analytics = false",
        "    check_update = false",
        *([] if with_git else ["    no_scm = true"]),
    ]
    (folder / ".dvc").mkdir()
    (folder / ".dvc" / "config").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / ".dvc" / ".gitignore").write_text("/config.local\n/tmp\n/cache\n", encoding="utf-8")


def has_git(folder: Path) -> bool:
    """Whether a folder, which need not be there yet, is in a git work tree that does not ignore it."""
    base = folder if folder.is_dir() else folder.parent

    def answers(*words: str) -> bool:
        return subprocess.run(["git", *words], cwd=base, capture_output=True, check=False).returncode == 0

    try:
        inside = answers("rev-parse", "--show-toplevel")  # which fails inside a .git, too
        return inside and not answers("check-ignore", "--quiet", str(folder.resolve() / "dvc.yaml"))
    except OSError:  # no git at all
        return False


def _same(path: Path, other: Path) -> bool:
    return path.exists() and other.exists() and path.samefile(other)
