"""Results at a git revision, as DVC's cache has them."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pandas as pd
from ruamel.yaml import YAML

from shoal.pipeline import store
from shoal.pipeline.config import ConfigError, Fault
from shoal.pipeline.paths import Paths

WORKSPACE = "workspace"
"""The name of the results as they are now, in place of a revision."""


class Snapshot(NamedTuple):
    """Errors of all networks at a revision, the root seed that they start from, and train and test data.

    `n_test` is the number of rows of the latter.
    """

    name: str
    networks: pd.DataFrame
    seed: int
    data: tuple[pd.DataFrame, ...]

    @property
    def n_test(self) -> int:
        return len(self.data[-1])

    def has_data_of(self, other: Snapshot) -> bool:
        """Whether both have the same train and test rows; cells may be text."""
        return all(own.equals(theirs) for own, theirs in zip(self.data, other.data, strict=True))


def snapshot(paths: Paths, revision: str) -> Snapshot:
    """Read a revision's results; raises ConfigError where there is none, or where DVC's cache no longer has them."""
    networks, *data = (
        store.table_of(_read(paths, file, revision), file)
        for file in (paths.networks, *(paths.data / f"{split}.parquet" for split in ("train", "test")))
    )
    seed = YAML(typ="safe").load(_read(paths, paths.params, revision).decode())["seed"]
    return Snapshot(revision, networks, int(seed), tuple(data))


def _read(paths: Paths, file: Path, revision: str) -> bytes:
    if revision == WORKSPACE:
        return store.read_bytes(file)
    from dvc.exceptions import DvcException
    from dvc.repo import Repo  # takes a second
    from scmrepo.exceptions import SCMError

    name = file.relative_to(paths.root).as_posix()
    try:
        with (
            Repo(str(paths.root.resolve())) as repo,
            repo.switch(revision),
        ):  # its folder may be one of the repository's
            content: bytes = repo.dvcfs.read_bytes(name)
    except (DvcException, SCMError, OSError):
        allowed = f"two cells, or two git revisions with results in DVC's cache ({WORKSPACE}: those that lie here)"
        raise ConfigError([Fault("", f"no {name} of '{revision}'", allowed, "compare")]) from None
    return content
