"""Which sources the kernels are made of: without Numba, for those who only ask that."""

from __future__ import annotations

import hashlib
from pathlib import Path


def source_hash() -> str:
    """Hex SHA-256 over the paths, below the folder of the kernels, and the contents of their source files."""
    digest, root = hashlib.sha256(), Path(__file__).parent.parent
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
