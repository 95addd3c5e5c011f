"""Where results come from, as hashes: of the parameters of a sweep and of the kernel sources."""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from shoal.kernels.compile.cache import source_hash
from shoal.pipeline import store
from shoal.pipeline.config import yamlfile
from shoal.pipeline.paths import Paths


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
