"""Where results come from, as hashes: of the parameters of a sweep, of the kernel sources and of the package."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

from shoal.kernels.compile.sources import source_hash
from shoal.pipeline import store
from shoal.pipeline.config import yamlfile
from shoal.pipeline.paths import Paths

_OF_A_SWEEP = ("runs.parquet", "curves.parquet", "weights.parquet")
_SOURCES = (".py", ".md", ".html", ".typ")
ROOT = Path(__file__).parent.parent
"""The folder of the pipeline."""


def read_params(paths: Paths) -> dict[str, Any]:
    """params.yaml as it is written, without its comments; empty where it is no mapping. Not to be changed.

    Raises ConfigError where it cannot be read.
    """
    return _read(paths.params.absolute(), store.sha256(paths.params))


@lru_cache(maxsize=1)
def _read(path: Path, _: str | None) -> dict[str, Any]:
    params, _faults = yamlfile.read(path)
    return params if isinstance(params, dict) else {}


def params_hash(seed: int, dtype: str, block: dict[str, Any]) -> str:
    """16 hex digits over the parameters that the networks of a sweep depend on, whatever their comments."""
    return hashlib.sha256(json.dumps([seed, dtype, block], sort_keys=True).encode()).hexdigest()[:16]


def kernels_hash() -> str:
    """16 hex digits over the sources of the kernels."""
    return source_hash()[:16]


def engine_hash() -> str:
    """Hex SHA-256 of what networks have to be trained anew for: the kernels, and the form of a sweep's files."""
    held = {name: list(columns) for name, columns in store.HELD.items() if name in _OF_A_SWEEP}
    return hashlib.sha256(f"{source_hash()}\0{json.dumps(held, sort_keys=True)}".encode()).hexdigest()


def package_hash() -> str:
    """Hex SHA-256 of all that makes results: the sources of the pipeline, and the kernels."""
    return of_sources(ROOT.rglob("*"))


def of_sources(paths: Iterable[Path]) -> str:
    """Hex SHA-256 of those among these files of the pipeline that are sources, by path and content, and the kernels."""
    digest = hashlib.sha256(source_hash().encode())
    for path in sorted(path for path in paths if path.suffix in _SOURCES):
        digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
