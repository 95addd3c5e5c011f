"""Where compiled kernels are kept, so that a machine compiles them once, whatever folder their sources are in.

Numba's own files are named by the path of one source file and follow its contents alone, not those of the kernels that
it inlines, and are taken for sound. Here all that compiled code depends on names the folder, every kernel has a file of
its own that begins with its checksum, and what is damaged counts as missing.
"""

from __future__ import annotations

import functools
import hashlib
import logging
import os
import pickle
import sys
import tempfile
import uuid
from pathlib import Path
from typing import Any

from numba.core.caching import NullCache
from numba.core.compiler import CompileResult
from numba.core.registry import cpu_target
from numba.core.runtime import rtsys
from numba.core.serialize import dumps

from shoal.kernels.compile.host import ENGINE
from shoal.kernels.compile.sources import source_hash

DIGEST_BYTES = hashlib.sha256().digest_size
log = logging.getLogger(__name__)


def _base() -> Path:
    named = os.environ.get("NUMBA_CACHE_DIR") or os.environ.get("XDG_CACHE_HOME")
    try:
        return Path(named) if named else Path.home() / ".cache"
    except RuntimeError:  # a user without a home, as in some containers: nothing can be kept there
        return Path(os.devnull)


FOLDER = _base() / "shoal" / f"kernels-{hashlib.sha256(f'{source_hash()}, {ENGINE}'.encode()).hexdigest()[:16]}"
"""Named by sources, instruction set, and Numba's and llvmlite's versions. A variable may move it, never rename it."""


@functools.cache
def is_writable() -> bool:
    """Whether compiled kernels can be kept; one line says so where they cannot."""
    try:
        FOLDER.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=FOLDER).close()
    except OSError as error:
        _say(error.strerror)
        return False
    return True


@functools.cache
def _say(found: str) -> None:
    """Once, on standard error where logging is not set up."""
    log.warning(
        "%s: compiled kernels cannot be kept here (%s), and every start compiles them again; NUMBA_CACHE_DIR names "
        "another folder",
        FOLDER,
        found,
    )


class KernelCache(NullCache):  # type: ignore[misc]
    """The file of one compiled kernel, as Numba asks for it.

    `symbol` tells kernels and dtypes apart; processors that share an instruction set may still differ in features.
    """

    def __init__(self, symbol: str) -> None:
        target = (sys.implementation.cache_tag, *cpu_target.target_context.codegen().magic_tuple())
        self._path = FOLDER / f"{symbol}-{hashlib.sha256(repr(target).encode()).hexdigest()[:16]}"

    def holds(self) -> bool:
        """Whether the compiled kernel is there, and sound."""
        return self._read() is not None

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The compiled kernel, or None."""
        code = self._read()
        if code is None:
            return None
        rtsys.initialize(target_context)  # a compiler needs all of `refresh`, which imports a fifth of a second
        return CompileResult._rebuild(target_context, *pickle.loads(code))

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep a compiled kernel, if there is a place for it; not one that holds addresses of this process."""
        if data.library.has_dynamic_globals or not is_writable():
            return
        code = dumps(data._reduce())
        temporary = self._path.with_name(f".{uuid.uuid4().hex}.tmp")
        try:
            temporary.write_bytes(self._digest(code) + code)
            temporary.replace(self._path)
        except OSError as error:
            _say(f"{self._path.name}: {error.strerror}")
        finally:
            temporary.unlink(missing_ok=True)

    def _read(self) -> bytes | None:
        try:
            found = self._path.read_bytes()
        except OSError:
            return None
        digest, code = found[:DIGEST_BYTES], found[DIGEST_BYTES:]
        return code if digest == self._digest(code) else None

    def _digest(self, code: bytes) -> bytes:
        return hashlib.sha256(self._path.name.encode() + b"\0" + code).digest()
