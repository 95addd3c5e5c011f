"""Compiling on two processes: the other one fills the cache, and nothing depends on it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from shoal.kernels.compile import cache

ROOT = Path(__file__).parents[1]
NAMES = ("samples.put.float64", "samples.weight_gradient.float64", "samples.forward.float64")
COLD = """
import sys
import numpy as np
import shoal.kernels.training.run
from shoal.kernels.compile.linked import kernels
from shoal.kernels.compile.warmup import load_all
sys.executable = sys.argv[1]
from shoal.kernels.training.update import PAIRS
update, dtype = PAIRS["samples", "gd"].update, np.dtype("float64")
load_all([(kernel, dtype) for kernel in (kernels["samples", "put"], update, kernels["samples", "weight_gradient"])])
p, g, rate = np.ones(16), np.full(16, 2.0), np.array([0.5])
update(dtype, p, 16, g, 1, 0, p, 0, rate, rate)
print(p.sum())
"""
LOADED = """
import sys
import numpy as np
import shoal.kernels.training.run
from shoal.kernels.compile.linked import kernels
from shoal.kernels.compile.warmup import load_all
load_all([(kernels["samples", name], np.dtype("float64")) for name in sys.argv[1:]])
print("loaded")
"""


def python(base: Path, *arguments: str) -> list[str]:
    """The words that a process prints which has a cache of its own."""
    environment = {key: value for key, value in os.environ.items() if key != "NUMBA_CACHE_DIR"}
    environment |= {"XDG_CACHE_HOME": str(base)}
    done = subprocess.run([sys.executable, *arguments], cwd=ROOT, env=environment, capture_output=True, check=True)
    return done.stdout.decode().split()


def ready(monkeypatch: pytest.MonkeyPatch, base: Path) -> list[bool]:
    """Which of NAMES a process would find that has a cache of its own."""
    monkeypatch.setattr(cache, "FOLDER", base / "shoal" / cache.FOLDER.name)
    return [cache.KernelCache(f"shoal_{name.replace('.', '_')}").holds() for name in NAMES]


def test_the_other_process_compiles_callers_without_their_callees(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    claims = tmp_path / "claims"
    claims.mkdir()
    assert ready(monkeypatch, tmp_path) == [False] * 3
    (claims / "shoal_samples_put_float64").touch()  # claimed by somebody else
    python(tmp_path, "-m", "shoal.kernels.compile.warmup", str(claims), "shoal.kernels.ensemble", *reversed(NAMES))
    assert ready(monkeypatch, tmp_path) == [False, True, True]


@pytest.mark.parametrize("other", [sys.executable, "/bin/false"])
def test_kernels_are_ready_whatever_becomes_of_the_other_process(other: str, tmp_path: Path) -> None:
    assert python(tmp_path, "-c", COLD, other) == ["0.0"]


def test_a_start_that_was_interrupted_is_taken_up_again(tmp_path: Path) -> None:
    callees = ("put", "product")
    assert python(tmp_path, "-c", LOADED, *callees) == ["loaded"]
    assert python(tmp_path, "-c", LOADED, *callees, "forward", "weight_gradient") == ["loaded"]
