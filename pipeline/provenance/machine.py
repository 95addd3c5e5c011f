"""What a result was computed with: facts that logs keep and result files do not."""

from __future__ import annotations

import platform
from typing import Any

import numba

from shoal.kernels.compile.host import HOST
from shoal.pipeline.provenance.libraries import libraries


def name() -> str:
    """This machine, as far as speeds depend on it, which are kept for each."""
    return f"{platform.node()}, {HOST.name}, {numba.config.NUMBA_NUM_THREADS} threads"


def facts() -> dict[str, Any]:
    """Instruction set and threads of the kernels, and the versions."""
    return {"instruction_set": HOST.name, "threads": numba.config.NUMBA_NUM_THREADS, "libraries": libraries()}
