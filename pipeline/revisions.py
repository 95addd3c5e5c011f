"""Results at a git revision, as DVC's cache has them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from ruamel.yaml import YAML

from pipeline.config import ConfigError, Fault
from pipeline.paths import Paths

WORKSPACE = "workspace"
"""The name of the results as they are now, in place of a revision."""


class Snapshot(NamedTuple):
    """Errors of all networks at a revision, the root seed that they start from, and train and test data.

    `data` are the bytes of the two, `n_test` the rows of the latter.
    """

    name: str
    networks: pd.DataFrame
    seed: int
    data: tuple[bytes, ...]
    n_test: int


def snapshot(paths: Paths, revision: str) -> Snapshot:
    """Read a revision's results; raises ConfigError where there is none, or where DVC's cache no longer has them."""
    files = (paths.networks, paths.params, *(paths.data / f"{split}.parquet" for split in ("train", "test")))
    networks, params, *data = (_read(paths, file, revision) for file in files)
    seed = YAML(typ="safe").load(params.decode())["seed"]
    n_test = len(pd.read_parquet(io.BytesIO(data[-1])))
    return Snapshot(revision, pd.read_parquet(io.BytesIO(networks)), int(seed), tuple(data), n_test)


def _read(paths: Paths, file: Path, revision: str) -> bytes:
    if revision == WORKSPACE:
        return file.read_bytes()
    from dvc import api  # takes a second
    from dvc.exceptions import DvcException
    from scmrepo.exceptions import SCMError

    name = file.relative_to(paths.root).as_posix()
    try:
        content: bytes = api.read(name, repo=str(paths.root.resolve()), rev=revision, mode="rb")
    except (DvcException, SCMError, OSError):
        allowed = f"two cells, or two git revisions with results in DVC's cache ({WORKSPACE}: those that lie here)"
        raise ConfigError([Fault("", f"no {name} of '{revision}'", allowed, "compare")]) from None
    return content
