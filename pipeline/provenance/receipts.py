"""Receipts: what results were made from and which files they are, beside them and written last.

A receipt is JSON: `receipt`, its own path; `params` and `inputs`, what the stage was made from; `files`, the SHA-256 of
every file that the stage wrote. Paths are below the root. It is a function of its inputs, as the results are, and it
is all that entitles the program to remove a file: what no receipt names, or what has another content than its receipt
says, is the user's. Whether a file is damaged says its own seal (`shoal.pipeline.store.seal`), which a receipt has too.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import ParamSpec, TypeVar

from shoal.pipeline import ancestors, store
from shoal.pipeline.errors import DamagedFileError, ShoalError
from shoal.pipeline.paths import Paths
from shoal.pipeline.provenance.made_from import MadeFrom

P = ParamSpec("P")
R = TypeVar("R")


class OvertakenError(ShoalError):
    """What a stage was reading has changed while it ran, so that its results would belong to neither state."""

    def __init__(self, place: str, names: list[str]) -> None:
        found = f"{', '.join(names)} changed since this stage began"
        super().__init__(
            f"{Path(place).parent.as_posix()}: found {found}; nothing more was written; run `dvc repro` again"
        )


@dataclass(frozen=True)
class Receipt:
    """What the files of a stage were made from, and their SHA-256 by their path below the root."""

    made_from: MadeFrom
    files: dict[str, str]

    def write(self) -> None:
        """Write it to its place, with the keys of params.yaml in an order of their own: theirs makes no difference."""
        made_from = self.made_from
        content = {"receipt": made_from.place, "params": made_from.params, "inputs": made_from.inputs}
        ordered = json.loads(json.dumps(content | {"files": self.files}, sort_keys=True))
        store.write_sealed_json(made_from.root / made_from.place, ordered)


def kept(made_from: Callable[P, MadeFrom]) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let a stage's `run` write a receipt of its files, and only files that are made from what it began with.

    What a stage is made from is looked at when it begins and before each file gets its name. Where it is otherwise by
    then, OvertakenError is raised and the file stays as it was. Files that the receipt before names, and that were not
    written again, are removed.
    """

    def decorate(run: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(run)
        def keeping(*args: P.args, **kwargs: P.kwargs) -> R:
            began = made_from(*args, **kwargs)
            paths = Paths(began.root)
            store.refuse_unwritable(began.root / began.place)
            before, files = _sound(paths, began.place), dict[str, str]()

            def look(temporary: Path, path: Path) -> None:
                ancestors.end_if_gone()
                if names := began.changes(made_from(*args, **kwargs)):
                    raise OvertakenError(began.place, names)
                files[paths.below_root(path)] = str(store.sha256(temporary))

            with store.before_rename(look):
                result = run(*args, **kwargs)
                Receipt(began, files).write()
            if before:
                _remove(paths, before, files)
            return result

        return keeping

    return decorate


def read(paths: Paths, place: str) -> Receipt | None:
    """The receipt at a path below the root; None where there is none, or a file that is no receipt of this place.

    A receipt that was copied or moved to another folder stands for nothing there. Raises DamagedFileError.
    """
    try:
        content = store.read_json(paths.root / place)
        if content["receipt"] != place:
            return None
        return Receipt(MadeFrom(place, content["params"], content["inputs"], paths.root), content["files"])
    except (OSError, LookupError, TypeError):
        return None


def _sound(paths: Paths, place: str) -> Receipt | None:
    """The same, and None for one that is damaged: it entitles to nothing."""
    try:
        return read(paths, place)
    except DamagedFileError:
        return None


def forget_other_sweeps(paths: Paths, sweeps: Collection[str]) -> None:
    """Remove what receipts name of sweeps that are not among these, as DVC leaves the files of removed stages."""
    for place in sorted(paths.results.glob("*/receipt.json")):
        receipt = _sound(paths, paths.below_root(place))
        if receipt and place.parent.name not in sweeps:
            _remove(paths, receipt, ())
            _remove_file(paths, place)


def _remove(paths: Paths, receipt: Receipt, but: Collection[str]) -> None:
    """Remove the files of a receipt that are still as it says, `but` for some."""
    for name, digest in receipt.files.items():
        if name not in but and store.sha256(paths.root / name) == digest:
            _remove_file(paths, paths.root / name)


def _remove_file(paths: Paths, path: Path) -> None:
    """Remove a file, and the folders around it that are empty then."""
    path.unlink()
    for folder in path.parents:
        if folder == paths.root or any(folder.iterdir()):
            return
        folder.rmdir()
